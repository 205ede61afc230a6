"""Addresses below /<tenant>/team/audit/."""

from django.urls import path

from tenants.audit import views

urlpatterns = [
    path("", views.index, name="audit"),
    path("events.csv", views.export, name="audit_csv"),
]
