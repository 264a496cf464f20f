from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.mixins import LoginRequiredMixin
from django.db.models import Sum
from django.shortcuts import get_object_or_404
from django.urls import reverse, reverse_lazy
from django.views.generic import CreateView, DetailView, ListView

from data.forms import CanteenForm, PurchaseForm, SignUpForm
from data.models import Canteen, Purchase
from macantine.tasks import fill_departments, fill_families, fill_totals


class Home(ListView):
    model = Canteen
    template_name = "home.html"
    paginate_by = 24

    def get_context_data(self, **kwargs):
        sums = Canteen.objects.aggregate(all=Sum("spent", default=0), organic=Sum("spent_organic", default=0))
        share = round(100 * sums["organic"] / sums["all"]) if sums["all"] else 0
        return super().get_context_data(sums=sums, share=share, purchases=Purchase.objects.count(), **kwargs)


class CanteenPage(DetailView):
    model = Canteen
    template_name = "canteen.html"

    def get_context_data(self, **kwargs):
        is_manager = self.object.managers.filter(pk=self.request.user.pk).exists()
        return super().get_context_data(is_manager=is_manager, purchases=self.object.purchases.all()[:50], **kwargs)


class SignUp(CreateView):
    form_class = SignUpForm
    template_name = "form.html"
    success_url = reverse_lazy("home")
    extra_context = {"title": "Créer un compte", "action": "S'inscrire"}

    def form_valid(self, form):
        response = super().form_valid(form)
        login(self.request, self.object)
        return response


class NewCanteen(LoginRequiredMixin, CreateView):
    form_class = CanteenForm
    template_name = "form.html"
    extra_context = {"title": "Ajouter une cantine", "action": "Ajouter"}

    def form_valid(self, form):
        response = super().form_valid(form)
        self.object.managers.add(self.request.user)
        fill_departments.delay()
        messages.success(self.request, "Cantine ajoutée.")
        return response

    def get_success_url(self):
        return reverse("canteen", args=[self.object.pk])


class NewPurchase(LoginRequiredMixin, CreateView):
    form_class = PurchaseForm
    template_name = "form.html"
    extra_context = {"title": "Noter un achat", "action": "Noter"}

    def form_valid(self, form):
        form.instance.canteen = get_object_or_404(self.request.user.canteens, pk=self.kwargs["pk"])
        response = super().form_valid(form)
        fill_families.delay()
        fill_totals.delay(self.object.canteen_id)
        messages.success(self.request, "Achat noté.")
        return response

    def get_success_url(self):
        return reverse("canteen", args=[self.kwargs["pk"]])
