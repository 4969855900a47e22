"""What a run leaves behind and shows: files, MLflow, terminal, provenance."""
