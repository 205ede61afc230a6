"""Pages of notifications: what one is told, and the tenant's webhooks."""
