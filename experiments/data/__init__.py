"""`python -m experiments.data`: volumes, and the canvases a run draws from them."""
