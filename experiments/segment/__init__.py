"""`python -m experiments.segment`: from a trained network to a scored segmentation."""
