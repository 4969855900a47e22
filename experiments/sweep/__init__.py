"""Many runs: the points of a command line, their outcomes, their jobs."""
