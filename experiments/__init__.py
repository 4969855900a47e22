"""Entry points of the study: one training run, sweeps of runs, and the tools around them."""
