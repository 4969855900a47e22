"""Drawings: tidy tables onto given Axes. Nothing here computes results, reads runs or saves."""
