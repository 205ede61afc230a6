"""Addresses of providers, below /accounts/: allauth includes this file, as it stands beside the provider's class."""

from django.urls import path

from tenants.sign_in import views

urlpatterns = [
    path("oidc/<slug:provider_id>/login/", views.sign_in, name="openid_connect_login"),
    path("oidc/<slug:provider_id>/login/callback/", views.come_back, name="openid_connect_callback"),
    path("oidc/<slug:provider_id>/back-channel-logout/", views.back_channel_logout, name="back_channel_logout"),
]
