"""The command-line client of cli/."""
