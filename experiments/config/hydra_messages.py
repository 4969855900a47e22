"""What is wrong with an option, in one line: Hydra has the reason elsewhere, or in other words."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from experiments.reporting.redaction import redacted_text
from ffn_core.errors import InputError

_NOISE = ("Set the environment", "full_key", "object_type", "reference_type", "See https://hydra")
_AMBIGUOUS = "Ambiguous value for argument '"


def one_line(error: Exception) -> str:
    """The message of an exception, and of those that caused it, on one line, without secrets."""
    override = getattr(error, "override", None)  # of what Hydra could not read
    text = " ".join(_lines(error))
    if override is not None:
        text = f"{override} cannot be read; if it is meant as it is, write {quoted(override)}"
    elif text.startswith(_AMBIGUOUS):
        override = text.removeprefix(_AMBIGUOUS).partition("' 1. ")[0]
        name, _, value = override.partition("=")
        text = (
            f"{override} has a comma: write {name}=[{value}] for a list, {quoted(override)} for a "
            "text, or add -m for a sweep over the values"
        )
    if "Missing mandatory value" in text:
        text += "; if it is one of conf/tuned/study.yaml, the study's pilot sets it: run that first"
    return redacted_text(text)


def quoted(override: str) -> str:
    """What to type in a shell for an override whose value is to be taken as it is."""
    name, _, value = override.partition("=")
    text = value.strip("'\"")
    mark = '"' if "'" in text else "'"
    plain = f"{name}={mark}{text}{mark}"
    return shlex.quote(plain) if any(c in plain for c in '"$`\\!') else f'"{plain}"'


def _lines(error: BaseException | None) -> Iterator[str]:
    """Lines of an exception and of its causes, each once, without what is for programmers."""
    seen: set[str] = set()
    while error is not None:
        for line in map(str.strip, str(error).splitlines()):
            if line and not line.startswith(_NOISE) and line not in seen:
                seen.add(line)
                yield line
        # The project's own messages are complete.
        error = None if isinstance(error, InputError) else error.__cause__
