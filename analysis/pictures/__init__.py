"""`python -m analysis.pictures`: pictures of a segmentation."""
