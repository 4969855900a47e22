"""Runs as tables: from MLflow or recorded files to one frame per study."""
