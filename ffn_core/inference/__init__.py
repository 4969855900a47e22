"""Segmentation of a volume with a trained network, and its comparison with a ground truth."""
