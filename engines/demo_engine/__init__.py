"""Loom: a CPU pattern-picture engine with its own page, a queue and the SD WebUI API; runs as a process of its own."""
