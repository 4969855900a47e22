"""What a value may be, and what the machine has for it."""
