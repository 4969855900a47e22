"""Numbers from tables of runs: intervals, targets, models. Nothing here draws or reads files."""
