"""Prices and costs in the API."""
