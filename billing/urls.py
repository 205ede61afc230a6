"""Addresses below /<tenant>/costs/."""

from django.urls import path

from billing import views
from billing.insights.views import insights
from billing.pages import views as pages

urlpatterns = [
    path("", pages.overview, name="costs"),
    path("month/", views.month, name="costs-month"),
    path("month.csv", views.costs_csv, name="costs-csv"),
    path("lines/", pages.charge_lines, name="costs-lines"),
    path("lines/<int:pk>/", pages.charge_line, name="costs-line"),
    path("insights/", insights, name="insights"),
    path("<slug:slug>/", views.instance_costs, name="instance-costs"),
]
