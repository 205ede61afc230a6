"""Addresses below /invitations/."""

from django.urls import path

from tenants.invitations import views

urlpatterns = [
    path("mine/<slug:slug>/", views.accept_mine, name="invitation_mine"),
    path("<slug:token>/", views.show, name="invitation"),
    path("<slug:token>/accept/", views.accept, name="invitation_accept"),
    path("<slug:token>/account/", views.account, name="invitation_account"),
]
