"""`python -m experiments.throughput`: how fast, how efficient, how far from the machine's rate."""
