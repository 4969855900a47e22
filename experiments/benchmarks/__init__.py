"""What the performance claims of this project rest on: measurements that anyone can repeat."""
