"""Whole figures: `Material` to `Drawing`, one function per figure. Nothing here saves."""
