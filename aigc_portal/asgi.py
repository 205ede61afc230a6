"""Portal pages, API and WebSocket in one ASGI application."""

import os

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import OriginValidator
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aigc_portal.settings")
pages = get_asgi_application()

from django.conf import settings  # noqa: E402 - after setup

from aigc_portal.loading import load_views  # noqa: E402 - after setup
from engines.routing import websocket_urlpatterns  # noqa: E402 - after setup

application = ProtocolTypeRouter(
    {
        "http": pages,
        "websocket": OriginValidator(AuthMiddlewareStack(URLRouter(websocket_urlpatterns)), [settings.PORTAL_ORIGIN]),
    }
)
load_views()
