from django.contrib import admin
from django.contrib.auth.admin import UserAdmin

from data.models import Canteen, Purchase, Reminder, User

admin.site.register(User, UserAdmin)


@admin.register(Canteen)
class CanteenAdmin(admin.ModelAdmin):
    list_display = ["name", "city", "department", "region", "spent", "organic_share"]
    list_filter = ["region"]
    search_fields = ["name", "city", "siret"]


@admin.register(Purchase)
class PurchaseAdmin(admin.ModelAdmin):
    list_display = ["date", "description", "canteen", "price", "family", "is_organic", "is_local"]
    list_filter = ["family", "is_organic", "is_local"]


@admin.register(Reminder)
class ReminderAdmin(admin.ModelAdmin):
    list_display = ["sent_at", "kind", "about", "user"]
    list_filter = ["kind"]
