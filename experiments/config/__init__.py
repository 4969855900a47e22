"""The configuration of a run: its types, checks, names and the way in from Hydra."""
