"""What a volume is like, and the training options that follow from it."""
