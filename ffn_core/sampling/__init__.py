"""Which FOVs are trained on: partitions, coordinates, and the files of google/ffn."""
