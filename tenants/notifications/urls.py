"""Addresses below /<tenant>/notifications/."""

from django.urls import path

from tenants.notifications.views import inbox, webhooks

urlpatterns = [
    path("", inbox.index, name="notifications"),
    path("unread/", inbox.unread, name="notifications_unread"),
    path("read/", inbox.read, name="notifications_read"),
    path("choices/", inbox.choose, name="notifications_choices"),
    path("webhooks/", webhooks.index, name="webhooks"),
    path("webhooks/<slug:slug>/", webhooks.show, name="webhook"),
    path("webhooks/<slug:slug>/rotate/", webhooks.rotate, name="webhook_rotate"),
    path("webhooks/<slug:slug>/test/", webhooks.test, name="webhook_test"),
    path("webhooks/<slug:slug>/enable/", webhooks.enable, name="webhook_enable"),
    path("webhooks/<slug:slug>/disable/", webhooks.disable, name="webhook_disable"),
    path("webhooks/<slug:slug>/delete/", webhooks.delete, name="webhook_delete"),
    path("webhooks/<slug:slug>/redeliver/", webhooks.redeliver, name="webhook_redeliver"),
]
