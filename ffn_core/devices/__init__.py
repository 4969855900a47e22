"""What a process computes on: the GPUs of a host, which is whose, what is installed for them."""
