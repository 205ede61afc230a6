"""Addresses below /<tenant>/team/."""

from django.urls import path

from tenants.team import views

urlpatterns = [
    path("", views.index, name="team"),
]
