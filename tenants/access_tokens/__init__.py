"""Access tokens: what a program carries to use the portal's API, for a person or as a service of a tenant."""
