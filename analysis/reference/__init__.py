"""The paper's figures as numbers."""
