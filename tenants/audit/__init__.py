"""Who did what, on whose behalf, from where: the append-only log that tenant admins and operators read."""
