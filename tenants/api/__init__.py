"""People and tenants in the API."""
