"""What the use of GPUs tells about their costs: one pure formula a module, and what they are fed from."""
