"""gwauth: who may reach an engine. Raw ASGI, asked by the gateway for every request: `uvicorn gateway.auth:app`.

The gateway alone may ask: it proves itself by a shared secret. `/_gw/auth` judges a request for an engine; a 2xx answer names the
upstream. `/.aigc/*` are the platform's own paths on every engine's host. In the common case an answer needs a signature check and
memory, and neither database nor Valkey.
"""

import os

import django
from django.apps import apps

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aigc_portal.settings")
if not apps.ready:
    django.setup()

from gateway.gate import make_app

app = make_app()
