from decimal import Decimal

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models


class Projet(models.Model):
    title = models.CharField("titre", max_length=120)
    description = models.TextField(blank=True)

    class Meta:
        ordering = ["title"]

    def __str__(self):
        return self.title


class Contribution(models.Model):
    """Money, time, or both, that somebody gives to a project."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="contributions")
    projet = models.ForeignKey(Projet, on_delete=models.CASCADE, related_name="contributions")
    euros = models.DecimalField(max_digits=9, decimal_places=2, default=0, validators=[MinValueValidator(Decimal(0))])
    hours = models.DecimalField("heures", max_digits=6, decimal_places=1, default=0, validators=[MinValueValidator(Decimal(0))])
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self):
        return f"{self.euros} €, {self.hours} h : {self.projet}"


class Photo(models.Model):
    class State(models.TextChoices):
        RECEIVED = "received", "en traitement"
        READY = "ready", "prête"
        REFUSED = "refused", "refusée"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="photos")
    path = models.CharField(max_length=200, unique=True)
    state = models.CharField(max_length=10, choices=State, default=State.RECEIVED)
    reason = models.CharField(max_length=200, blank=True)
    width = models.PositiveIntegerField(null=True)
    height = models.PositiveIntegerField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self):
        return self.path


class ImpactDashboard(models.Model):
    """What somebody's rows add up to, as a task has last counted them."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="impact")
    projets = models.PositiveIntegerField(default=0)
    euros = models.DecimalField(max_digits=12, decimal_places=2, default=0)
    hours = models.DecimalField(max_digits=9, decimal_places=1, default=0)
    photos = models.PositiveIntegerField(default=0)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self):
        return f"impact of {self.user}"

    def metrics(self):
        """The numbers, as JSON can have them."""
        return {"projets": self.projets, "euros": float(self.euros), "hours": float(self.hours), "photos": self.photos}
