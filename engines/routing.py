"""WebSocket addresses."""

from django.urls import path

from engines.consumers import LiveConsumer

websocket_urlpatterns = [path("ws/live/<slug:tenant_slug>/", LiveConsumer.as_asgi())]
