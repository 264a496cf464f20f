from django.contrib import admin

from core.models import Contribution, ImpactDashboard, Photo, Projet

admin.site.register(Projet)


@admin.register(Contribution)
class ContributionAdmin(admin.ModelAdmin):
    list_display = ["created_at", "user", "projet", "euros", "hours"]


@admin.register(Photo)
class PhotoAdmin(admin.ModelAdmin):
    list_display = ["created_at", "user", "path", "state", "reason", "width", "height"]
    list_filter = ["state"]


@admin.register(ImpactDashboard)
class ImpactDashboardAdmin(admin.ModelAdmin):
    list_display = ["user", "projets", "euros", "hours", "photos", "updated_at"]
