"""The exceptions a user is meant to read."""


class InputError(ValueError):
    """A value the user gave that cannot work.

    The message is one line that names the value and says what to change. Entry points print it
    as ``error: ...`` and end with exit code 2; nothing else is printed and nothing is lost.
    """


class DivergedError(RuntimeError):
    """The loss or a weight is no longer finite; continuing is pointless."""
