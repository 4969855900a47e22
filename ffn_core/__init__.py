"""The library: flood-filling networks, their data, and the synchronous training step."""
