"""How much a tenant, a role or a person may use at once: the limits, and what people ask for beyond them."""
