"""What is claimed, how it is decided, and the scores it is decided by. Pure."""
