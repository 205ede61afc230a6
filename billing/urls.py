"""Addresses below /<tenant>/costs/."""

from django.urls import path

from billing import views

urlpatterns = [
    path("", views.costs, name="costs"),
    path("month.csv", views.costs_csv, name="costs-csv"),
    path("<slug:slug>/", views.instance_costs, name="instance-costs"),
]
