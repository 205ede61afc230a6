"""Addresses below /<tenant>/team/tokens/."""

from django.urls import path

from tenants.access_tokens import views

urlpatterns = [
    path("", views.index, name="access_tokens"),
    path("<slug:key_id>/revoke/", views.revoke, name="access_tokens_revoke"),
]
