"""What can go wrong with embedded services."""


class EmbeddedError(Exception):
    """An embedded service cannot run; the text says why and what to do."""
