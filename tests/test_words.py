"""One spelling (American), and plain words in the place of metaphors."""

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from ffn_core.files import REPOSITORY

BRITISH = (
    r"\w*colour\w*|grey\w*|cent(?:re|red|res|ring)|\w*neighbour\w*|\w*behaviour\w*"
    r"|\w*labell(?:ed|ing)|(?:model|level|travel|channel)l(?:ed|ing)\w*|learnt|spelt|towards|\w*synchronis\w+"
    r"|\w*(?:normal|recogn|summar|optim|initial|serial|organ|minim|maxim|digit)is(?:e[sd]?|ing|ation)"
)
METAPHORS = (
    "nobody|told|foretells?|foretold|mirror(?:s|ed|ing)?|roll.call|screen|material"
    "|(?:go|goes|going) on"
)
OLD = (
    "anew|afresh|whoever|whosoever|thereby|whereby|thereof|wherein|therein|herein|thereafter"
    "|hereafter|whereupon|upon|hence|henceforth|thus|whilst|amongst|albeit|lest|in vain|aforesaid"
)
# Whole words, and parts of names joined by case or underscore: FORETOLD, toldApart, WasTold.
BANNED = re.compile(rf"(?<![a-zA-Z])(?:{BRITISH}|{METAPHORS}|{OLD})(?![a-z])", re.IGNORECASE)
JOINED = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
"""Where a name in camel case is joined."""

ONE_MEANING = {
    # A claim is a sentence of the paper (analysis/verdicts), a benchmark a part of
    # experiments/benchmarks.
    "experiments": re.compile(r"\b(?:claims?|claimed)\b", re.IGNORECASE),
    "experiments/throughput": re.compile(r"\bbenchmark", re.IGNORECASE),
}
# Keys of a file, and names that others have given.
ALLOWED = ("CANCELLED", "modelled_", '"claims"')


def _own_words(path: Path) -> Iterator[tuple[int, str]]:
    """Line number and text of what people read in a file."""
    if path.suffix != ".py":
        yield from enumerate(path.read_text().splitlines(), start=1)
        return
    for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
        yield token.start[0], token.string


def _found(pattern: re.Pattern[str], text: str) -> list[str]:
    text = JOINED.sub("_", text)
    if not pattern.search(text):
        return []
    for allowed in ALLOWED:
        text = text.replace(allowed, "")
    return pattern.findall(text)


def _files(*folders: str) -> list[Path]:
    paths = [p for f in folders for p in sorted((REPOSITORY / f).rglob("*")) if p.is_file()]
    return [p for p in paths if p.suffix in (".py", ".yaml") and p != Path(__file__)]


def _complaints(pattern: re.Pattern[str], paths: list[Path]) -> list[str]:
    return [
        f"{path.relative_to(REPOSITORY)}:{line}: {', '.join(found)}"
        for path in paths
        if pattern.search(JOINED.sub("_", path.read_text()))  # fast, and rarely so
        for line, text in _own_words(path)
        if (found := _found(pattern, text))
    ]


def test_words_are_plain_and_american():
    paths = _files("ffn_core", "experiments", "analysis", "conf", "tests")
    # RESULTS.md is written by code that is read here, and may be older than it.
    paths += [p for p in REPOSITORY.glob("*.md") if p.name != "RESULTS.md"]
    paths += [REPOSITORY / "noxfile.py"]
    paths += [p for p in (REPOSITORY / "docs").rglob("*") if p.suffix in (".md", ".py")]
    assert _complaints(BANNED, paths) == [], "say what it is, in American spelling"


@pytest.mark.parametrize("folder", ONE_MEANING)
def test_a_word_has_one_meaning(folder):
    assert _complaints(ONE_MEANING[folder], _files(folder)) == [], "use another word"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("node_colours", ["node_colours"]),
        ("the centre", ["centre"]),
        ("it goes on", ["goes on"]),
        ("centered, color, go once", []),
        ("state CANCELLED, retold, behavior", []),
        ("FORETOLD = is_told or WasTold", ["FORETOLD", "told", "Told"]),
        ("once upon a time, thus", ["upon", "thus"]),
    ],
)
def test_the_list_finds_whole_words(text, found):
    assert _found(BANNED, text) == found
