"""How processes of this package end."""

EXIT_FAILED = 1
"""Something went wrong that is not the input's fault: see the traceback."""

EXIT_INPUT = 2
"""A value the user gave cannot work; one line on standard error says which and what to change."""

EXIT_DIVERGED = 3
"""The loss is no longer finite."""

EXIT_STOPPED = 75
"""Stopped on request with a checkpoint saved (EX_TEMPFAIL: repeat the command to continue)."""

EXIT_INTERRUPTED = 130
"""Ended by Ctrl-C, ranks stopped in order."""
