"""Synthetic EM volumes with a known truth."""
