from django.conf import settings
from django.contrib import admin
from django.urls import include, path, re_path
from django.views.static import serve

from core import pages
from core.api.auth_views import RegisterView
from core.api.impact_views import ContributionView, ImpactView
from core.api.upload_views import upload_image

urlpatterns = [
    path("", pages.Home.as_view(), name="home"),
    path("impact/", pages.Impact.as_view(), name="impact"),
    path("photos/", pages.Photos.as_view(), name="photos"),
    path("compte/", include("django.contrib.auth.urls")),
    path("admin/", admin.site.urls),
    path("api/auth/register/", RegisterView.as_view(), name="register"),
    path("api/images/", upload_image, name="upload-image"),
    path("api/contributions/", ContributionView.as_view(), name="contributions"),
    path("api/impact/", ImpactView.as_view(), name="api-impact"),
    # A site of this size has no web server before it that could do it.
    re_path(r"^media/(?P<path>.*)$", serve, {"document_root": settings.MEDIA_ROOT}),
]
