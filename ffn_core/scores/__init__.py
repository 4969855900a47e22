"""How good a network is on held-out canvases: voxel counts, ROC, validation."""
