"""Figures of speed, each beside a floor measured in the same run. `make bench`, or `make bench ONLY=launch` for one file."""
