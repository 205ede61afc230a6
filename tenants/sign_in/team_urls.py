"""The team pages' tab of sign-in."""

from django.urls import path

from tenants.sign_in import team_views

urlpatterns = [
    path("", team_views.settings_of_tenant, name="sign_in_settings"),
]
