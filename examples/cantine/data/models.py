from decimal import Decimal

from django.contrib.auth.models import AbstractUser
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.utils import timezone


class User(AbstractUser):
    email = models.EmailField("adresse électronique", unique=True)
    wants_reminders = models.BooleanField("accepte les courriels de rappel", default=True)
    is_in_brevo = models.BooleanField(default=False, editable=False)

    def __str__(self):
        return self.get_full_name() or self.email


class Canteen(models.Model):
    name = models.CharField("nom", max_length=120)
    siret = models.CharField("SIRET", max_length=14, blank=True, validators=[RegexValidator(r"^\d{14}$", "14 chiffres")])
    postal_code = models.CharField("code postal", max_length=5, validators=[RegexValidator(r"^\d{5}$", "5 chiffres")])
    city = models.CharField("commune", max_length=80)
    daily_meals = models.PositiveIntegerField("repas par jour", null=True, blank=True)
    managers = models.ManyToManyField(User, related_name="canteens", blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    # Filled by tasks.
    department = models.CharField("département", max_length=3, blank=True)
    region = models.CharField("région", max_length=40, blank=True)
    spent = models.DecimalField("achats de l'année", max_digits=12, decimal_places=2, default=Decimal(0))
    spent_organic = models.DecimalField("dont bio", max_digits=12, decimal_places=2, default=Decimal(0))
    spent_local = models.DecimalField("dont local", max_digits=12, decimal_places=2, default=Decimal(0))

    class Meta:
        verbose_name = "cantine"
        ordering = ["name"]

    def __str__(self):
        return self.name

    @property
    def organic_share(self):
        return round(100 * self.spent_organic / self.spent) if self.spent else 0

    @property
    def local_share(self):
        return round(100 * self.spent_local / self.spent) if self.spent else 0


class Purchase(models.Model):
    canteen = models.ForeignKey(Canteen, on_delete=models.CASCADE, related_name="purchases")
    date = models.DateField("date", default=timezone.localdate)
    description = models.CharField("produit", max_length=120)
    provider = models.CharField("fournisseur", max_length=80, blank=True)
    price = models.DecimalField("prix HT", max_digits=10, decimal_places=2, validators=[MinValueValidator(Decimal("0.01"))])
    is_organic = models.BooleanField("bio", default=False)
    is_local = models.BooleanField("local", default=False)
    family = models.CharField("famille", max_length=40, blank=True)  # filled by a task

    class Meta:
        verbose_name = "achat"
        ordering = ["-date", "-id"]

    def __str__(self):
        return self.description


class Reminder(models.Model):
    """A mail that was sent. No second one is sent to the same person of the same kind about the same thing."""

    user = models.ForeignKey(User, on_delete=models.CASCADE)
    kind = models.CharField(max_length=40)
    about = models.CharField(max_length=40)
    sent_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "rappel"
        constraints = [models.UniqueConstraint(fields=["user", "kind", "about"], name="reminder_once")]

    def __str__(self):
        return f"{self.kind} {self.about}"
