from django.core.management.base import BaseCommand

from core.models import Projet

PROJETS = {
    "La forêt des enfants": "Mille arbres plantés avec les écoles de la vallée.",
    "Semences anciennes": "Une grainothèque tenue par ses jardiniers.",
    "La rivière vivante": "Berges nettoyées, poissons comptés, castors accueillis.",
    "Four à pain du village": "Restauré à la main, allumé le samedi.",
}


class Command(BaseCommand):
    help = "Adds projects to contribute to."

    def handle(self, *args, **options):
        for title, description in PROJETS.items():
            Projet.objects.get_or_create(title=title, defaults={"description": description})
        self.stdout.write(f"Projects: {Projet.objects.count()}")
