"""Reads for screens: querysets and small dataclasses, in a constant number of queries."""
