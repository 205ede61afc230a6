"""Engines, instances and data in the API: the same operations and queries as the pages."""
