"""The command-line client of the AIGC Portal; it uses the public API alone."""

__version__ = "0.1.0"
