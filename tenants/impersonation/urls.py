"""Addresses below /looking/."""

from django.urls import path

from tenants.impersonation import views

urlpatterns = [
    path("end/", views.end, name="looking_end"),
    path("act/", views.act, name="looking_act"),
]
