"""An operator sees the portal as somebody else sees it: told, for a short time, and without changing anything."""
