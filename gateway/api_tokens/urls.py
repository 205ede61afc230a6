"""Addresses below /<tenant>/api/."""

from django.urls import path

from gateway.api_tokens import views

urlpatterns = [
    path("", views.of_tenant, name="tenant-api"),
    path("engines/<slug:slug>/", views.of_instance, name="instance-api"),
    path("tokens/<slug:key_id>/revoke/", views.revoke, name="api-token-revoke"),
]
