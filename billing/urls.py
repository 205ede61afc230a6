"""Addresses below /<tenant>/costs/."""

from django.urls import path

from billing import views
from billing.budgets import views as budget_views
from billing.exports import views as exports
from billing.insights.views import insights
from billing.pages import views as pages

urlpatterns = [
    path("", pages.overview, name="costs"),
    path("month/", views.month, name="costs-month"),
    path("month.csv", views.costs_csv, name="costs-csv"),
    path("exports/", exports.exports, name="costs-exports"),
    path("exports/<slug:slug>/", exports.export_row, name="costs-export"),
    path("exports/<slug:slug>/file", exports.export_file, name="costs-export-file"),
    path("exports/<slug:slug>/manifest.json", exports.export_manifest, name="costs-export-manifest"),
    path("lines/", pages.charge_lines, name="costs-lines"),
    path("lines/<int:pk>/", pages.charge_line, name="costs-line"),
    path("budgets/", budget_views.index, name="budgets"),
    path("budgets/new/", budget_views.make, name="budget_new"),
    path("budgets/<int:pk>/", budget_views.change, name="budget"),
    path("budgets/<int:pk>/delete/", budget_views.delete, name="budget_delete"),
    path("insights/", insights, name="insights"),
    path("<slug:slug>/", views.instance_costs, name="instance-costs"),
]
