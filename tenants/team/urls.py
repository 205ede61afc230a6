"""Addresses below /<tenant>/team/."""

from django.urls import include, path

from tenants.team import views

urlpatterns = [
    path("", views.index, name="team"),
    path("audit/", include("tenants.audit.urls")),
    path("sign-in/", include("tenants.sign_in.team_urls")),
]
