"""Filling of what people leave empty: where a canteen lies, what family a product is of, what a canteen has spent."""

import unicodedata
from decimal import Decimal

from django.db.models import Q, Sum
from django.utils import timezone

from data.departments import REGION_OF, department_of
from data.models import Canteen, Purchase

FAMILIES = {
    "Fruits et légumes": "carotte pomme salade tomate poireau courgette fruit legume banane oignon",
    "Viandes": "boeuf veau porc poulet agneau dinde viande volaille",
    "Produits de la mer": "poisson saumon cabillaud colin moule crevette",
    "Produits laitiers": "lait yaourt fromage beurre creme comte",
    "Céréales et légumineuses": "riz pates semoule lentille pois haricot quinoa",
    "Boulangerie": "pain baguette brioche farine",
}


def family_of(description):
    """The family by the first word that tells it; plurals and accents do not matter."""
    plain = description.lower().replace("œ", "oe").replace("'", " ").replace("’", " ")
    for word in unicodedata.normalize("NFKD", plain).encode("ascii", "ignore").decode().split():
        for family, words in FAMILIES.items():
            if {word, word.removesuffix("s"), word.removesuffix("x")} & set(words.split()):
                return family
    return "Autres"


def departments():
    """Fill department and region of the canteens that have none; gives how many were filled."""
    filled = []
    for canteen in Canteen.objects.filter(department=""):
        canteen.department = department_of(canteen.postal_code)
        canteen.region = REGION_OF.get(canteen.department, "")
        if canteen.department:
            filled.append(canteen)
    Canteen.objects.bulk_update(filled, ["department", "region"], batch_size=500)
    return len(filled)


def families():
    """Fill the family of the purchases that have none; gives how many were filled."""
    filled = list(Purchase.objects.filter(family=""))
    for purchase in filled:
        purchase.family = family_of(purchase.description)
    Purchase.objects.bulk_update(filled, ["family"], batch_size=500)
    return len(filled)


def totals(canteens):
    """Sum up what these canteens have bought this year; gives how many canteens that were."""
    in_year = Q(purchases__date__year=timezone.localdate().year)
    summed = canteens.annotate(
        all_=Sum("purchases__price", filter=in_year),
        organic=Sum("purchases__price", filter=in_year & Q(purchases__is_organic=True)),
        local=Sum("purchases__price", filter=in_year & Q(purchases__is_local=True)),
    )
    filled = list(summed)
    for canteen in filled:
        canteen.spent = canteen.all_ or Decimal(0)
        canteen.spent_organic = canteen.organic or Decimal(0)
        canteen.spent_local = canteen.local or Decimal(0)
    Canteen.objects.bulk_update(filled, ["spent", "spent_organic", "spent_local"], batch_size=500)
    return len(filled)
