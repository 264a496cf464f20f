from django.contrib import admin
from django.urls import include, path

from data import views

urlpatterns = [
    path("", views.Home.as_view(), name="home"),
    path("cantines/nouvelle/", views.NewCanteen.as_view(), name="new-canteen"),
    path("cantines/<int:pk>/", views.CanteenPage.as_view(), name="canteen"),
    path("cantines/<int:pk>/achats/", views.NewPurchase.as_view(), name="new-purchase"),
    path("inscription/", views.SignUp.as_view(), name="sign-up"),
    path("compte/", include("django.contrib.auth.urls")),
    path("admin/", admin.site.urls),
]
