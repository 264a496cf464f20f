from django import forms
from django.contrib.auth.forms import BaseUserCreationForm

from data.models import Canteen, Purchase, User


class SignUpForm(BaseUserCreationForm):
    class Meta:
        model = User
        fields = ["first_name", "last_name", "username", "email"]


class CanteenForm(forms.ModelForm):
    class Meta:
        model = Canteen
        fields = ["name", "postal_code", "city", "siret", "daily_meals"]


class PurchaseForm(forms.ModelForm):
    class Meta:
        model = Purchase
        fields = ["description", "price", "date", "provider", "is_organic", "is_local"]
        widgets = {"date": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")}
