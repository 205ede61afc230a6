"""Answers that are sent piece by piece, to pages and the API alike."""
