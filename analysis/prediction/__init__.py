"""What a planned run will take: the inputs, the answer, and its figure."""
