"""Engines' own API tokens in the API."""
