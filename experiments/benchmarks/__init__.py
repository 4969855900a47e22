"""The performance ratios of this project: measurements that anyone can repeat."""
