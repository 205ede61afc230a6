"""Addresses below /gw/ on the portal host."""

from django.urls import path

from gateway import views

urlpatterns = [
    path("authorize", views.authorize, name="gateway-authorize"),
    path("waking/<slug:slug>/", views.waking, name="waking"),
    path("waking/<slug:slug>/start", views.start, name="waking-start"),
    path("waking/<slug:slug>/cancel", views.cancel, name="waking-cancel"),
]
