"""Operators' pages; every change of a running thing goes through the same operations as an artist's click."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from engines.admin import catalog, credentials, idle, instances, places, records, sharing, volumes

__all__ = ["catalog", "credentials", "idle", "instances", "places", "records", "sharing", "volumes"]

admin.site.index_title = _("Overview")
