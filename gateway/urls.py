"""Addresses below /gw/ on the portal host."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
