"""A real Gradio application, and how its own page asks it: what its queue tells, and does not tell, of a running job."""
