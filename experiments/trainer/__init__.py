"""What one rank does: the training loop, its clocks, metrics and checkpoints."""
