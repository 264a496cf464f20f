"""The mails: who is due for which one, and what it says. Each goes once to each person about each thing."""

from datetime import timedelta

from django.core.mail import send_mail
from django.db import transaction
from django.db.models import Q, Sum
from django.utils import timezone

from data.models import Canteen, Purchase, Reminder, User


def due(kind):
    """Whom to write and about what: pairs of a user's id and a word, without those that were written."""
    sent = set(Reminder.objects.filter(kind=kind).values_list("user_id", "about"))
    return [pair for pair in KINDS[kind][0]() if pair not in sent]


def send(kind, user_id, about):
    """Send one mail, unless it was sent; gives whether it was now.

    The row is committed once the mail was taken: one that fails leaves none, and who asks at the same time waits for it.
    """
    with transaction.atomic():
        user = User.objects.get(pk=user_id)
        _, is_new = Reminder.objects.get_or_create(user=user, kind=kind, about=about)
        if is_new:
            subject, text = KINDS[kind][1](user, about)
            send_mail(subject, f"Bonjour {user},\n\n{text}\n\nL'équipe Ma Cantine\n", None, [user.email])
    return is_new


def _readers():
    return User.objects.filter(is_active=True, wants_reminders=True)


def _managers(canteens):
    pairs = Canteen.managers.through.objects.filter(canteen__in=canteens, user__in=_readers())
    return [(user, str(canteen)) for user, canteen in pairs.values_list("user_id", "canteen_id")]


def _without_canteen():
    now = timezone.now()
    alone = _readers().filter(canteens=None)
    first = alone.filter(date_joined__lte=now - timedelta(days=7), date_joined__gt=now - timedelta(days=14))
    second = alone.filter(date_joined__lte=now - timedelta(days=14))
    return [(user.pk, "first") for user in first] + [(user.pk, "second") for user in second]


def _without_canteen_text(user, about):
    subject = "Ajoutez votre cantine" if about == "first" else "Votre cantine vous attend"
    return subject, "Vous avez un compte, mais pas encore de cantine : deux minutes suffisent pour l'ajouter."


def _without_purchases():
    return _managers(Canteen.objects.filter(purchases=None, created_at__lte=timezone.now() - timedelta(days=10)))


def _without_purchases_text(user, about):
    canteen = Canteen.objects.get(pk=about)
    return f"{canteen} : notez vos premiers achats", f"Aucun achat n'est noté pour la cantine « {canteen} »."


def _incomplete():
    missing = Canteen.objects.filter(Q(siret="") | Q(daily_meals=None))
    return _managers(missing.filter(created_at__lte=timezone.now() - timedelta(days=3)))


def _incomplete_text(user, about):
    canteen = Canteen.objects.get(pk=about)
    missing = [name for name, value in (("SIRET", canteen.siret), ("nombre de repas", canteen.daily_meals)) if not value]
    return f"{canteen} : complétez la fiche", f"Il manque à la fiche de « {canteen} » : {', '.join(missing)}."


def _last_month():
    last = timezone.localdate().replace(day=1) - timedelta(days=1)
    return f"{last:%Y-%m}"


def _monthly():
    year, month = _last_month().split("-")
    bought = Purchase.objects.filter(date__year=year, date__month=month)
    return [(user.pk, _last_month()) for user in _readers().filter(canteens__purchases__in=bought).distinct()]


def _monthly_text(user, about):
    year, month = about.split("-")
    in_month = Q(purchases__date__year=year, purchases__date__month=month)
    canteens = user.canteens.annotate(sum=Sum("purchases__price", filter=in_month)).filter(sum__gt=0)
    lines = [f"  {canteen} : {canteen.sum:.2f} €" for canteen in canteens]
    return f"Vos achats de {month}/{year}", "\n".join(["Ce que vos cantines ont acheté :", *lines])


def _declaration():
    year = timezone.localdate().year - 1
    bought = Purchase.objects.filter(date__year=year)
    return [(user.pk, str(year)) for user in _readers().filter(canteens__purchases__in=bought).distinct()]


def _declaration_text(user, about):
    return f"Déclarez vos achats de {about}", f"La campagne est ouverte jusqu'au 31 mars : déclarez vos achats de {about}."


KINDS = {
    "without_canteen": (_without_canteen, _without_canteen_text),
    "without_purchases": (_without_purchases, _without_purchases_text),
    "incomplete": (_incomplete, _incomplete_text),
    "monthly": (_monthly, _monthly_text),
    "declaration": (_declaration, _declaration_text),
}
