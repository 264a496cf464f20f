"""Canteens to look at."""

import random
from datetime import timedelta
from decimal import Decimal

from django.core.management.base import BaseCommand
from django.utils import timezone

from data.models import Canteen, Purchase, User
from macantine.tasks import fill_departments, fill_families, fill_totals

PLACES = ("69003 Lyon", "75011 Paris", "13002 Marseille", "35000 Rennes", "67000 Strasbourg", "20200 Bastia", "97400 Saint-Denis")
KINDS = ("École", "Collège", "Lycée", "Crèche")
NAMES = ("Jean Jaurès", "Louise Michel", "Simone Veil", "Jules Ferry", "Rosa Bonheur")
PRODUCTS = ("Carottes", "Pommes", "Pain complet", "Poulet fermier", "Yaourts", "Filets de colin", "Lentilles", "Riz", "Café")


class Command(BaseCommand):
    help = "Adds canteens with purchases of this year and a manager each."

    def add_arguments(self, parser):
        parser.add_argument("canteens", nargs="?", type=int, default=20)

    def handle(self, *args, canteens, **options):
        chance = random.Random(7)
        today = timezone.localdate()
        for number in range(canteens):
            user, _ = User.objects.get_or_create(username=f"chef{number}", defaults={"email": f"chef{number}@example.org"})
            postal_code, _, city = PLACES[number % len(PLACES)].partition(" ")
            name = f"{chance.choice(KINDS)} {chance.choice(NAMES)}"
            canteen = Canteen.objects.create(name=name, postal_code=postal_code, city=city, daily_meals=chance.randint(80, 900))
            canteen.managers.add(user)
            Purchase.objects.bulk_create(
                Purchase(
                    canteen=canteen,
                    date=max(today - timedelta(days=chance.randint(0, 300)), today.replace(month=1, day=1)),
                    description=chance.choice(PRODUCTS),
                    provider=f"Coopérative de {city}",
                    price=Decimal(chance.randint(2000, 90000)) / 100,
                    is_organic=chance.random() < 0.3,
                    is_local=chance.random() < 0.4,
                )
                for _ in range(30)
            )
        for fill in (fill_departments, fill_families, fill_totals):
            self.stdout.write(fill())
