"""Addresses of a person's own account that allauth has none for, below /accounts/."""

from django.urls import path

from tenants.sign_in import account_views

urlpatterns = [
    path("profile/", account_views.profile, name="account_profile"),
    path("sessions/<int:pk>/end/", account_views.end_session, name="account_end_session"),
    path("signed-out/", account_views.signed_out, name="signed_out"),
]
