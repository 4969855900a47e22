"""Fitted models: scaling, critical batch, learning-rate laws, and what they predict. Pure."""
