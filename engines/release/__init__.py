"""Giving idle GPUs back: the minute's look, and a release that a request in the last moment wins against."""
