"""Operators' pages; every change of a running thing goes through the same operations as an artist's click."""

from engines.admin import catalog, instances, places, records, volumes

__all__ = ["catalog", "instances", "places", "records", "volumes"]
