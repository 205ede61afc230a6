"""Pages of a team."""
