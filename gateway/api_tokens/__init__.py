"""API tokens: how programs reach an engine without a browser's sign-in."""
