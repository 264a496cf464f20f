from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.cache import cache
from django.db.models import Sum
from django.views.generic import TemplateView

from core.models import ImpactDashboard, Photo, Projet


class Home(TemplateView):
    template_name = "home.html"

    def get_context_data(self, **kwargs):
        return super().get_context_data(totals=cache.get_or_set("totals", _totals, 60), projets=Projet.objects.all(), **kwargs)


def _totals():
    sums = ImpactDashboard.objects.aggregate(euros=Sum("euros", default=0), hours=Sum("hours", default=0))
    return {**sums, "people": ImpactDashboard.objects.count(), "photos": Photo.objects.filter(state=Photo.State.READY).count()}


class Impact(LoginRequiredMixin, TemplateView):
    template_name = "impact.html"

    def get_context_data(self, **kwargs):
        user = self.request.user
        dashboard = ImpactDashboard.objects.filter(user=user).first() or ImpactDashboard()
        given = user.contributions.select_related("projet")[:10]
        return super().get_context_data(dashboard=dashboard, given=given, projets=Projet.objects.all(), **kwargs)


class Photos(LoginRequiredMixin, TemplateView):
    template_name = "photos.html"

    def get_context_data(self, **kwargs):
        photos = list(self.request.user.photos.all()[:60])
        waiting = any(photo.state == Photo.State.RECEIVED for photo in photos)
        return super().get_context_data(photos=photos, waiting=waiting, **kwargs)
