"""`python -m analysis.figures`: one module per kind of figure, drawn from a study."""
