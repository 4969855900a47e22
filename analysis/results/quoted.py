"""What README, docs and preset headers quote of the results, written into them. Pure.

A page has it between two marks, a preset in the lines of its header from ``# Found:`` on.
"""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from analysis.verdicts.plan import CLAIMS
from analysis.verdicts.verdict import NOT_RUN, STATUSES, Verdict
from analysis.verdicts.words import headline

START: Final = "<!-- results: written by `nox -s figures` -->"
END: Final = "<!-- /results -->"
_FOUND: Final = "# Found:"
_PAGE_WIDTH, _PRESET_WIDTH = 160, 110


def counted(verdicts: Iterable[Verdict]) -> str:
    """How many claims came out how: ``3 supported, 1 refuted``."""
    counts = Counter(one.verdict for one in verdicts)
    return ", ".join(f"{counts[kind]} {kind}" for kind in STATUSES if counts[kind])


def page_quoting(text: str, verdicts: Mapping[str, Verdict], headlines: Iterable[str]) -> str:
    """A page with what stands between its marks written again; as it is where it has no marks.

    Args:
        text: of the page.
        verdicts: by key.
        headlines: keys of the claims that are quoted with their effects, in order.
    """
    counts = f"{len(verdicts)} claims: {counted(verdicts.values())}."
    said = (headline(verdicts[key]) for key in headlines)
    lines = [f"{counts} In parentheses: 95 % intervals.", ""]
    lines += [_wrapped(f"- {one}", "  ", _PAGE_WIDTH) for one in said]
    block = "\n".join([START, *lines, END])
    return re.sub(f"{re.escape(START)}.*?{re.escape(END)}", lambda _: block, text, flags=re.DOTALL)


def preset_quoting(text: str, preset: str, verdicts: Mapping[str, Verdict]) -> str:
    """A preset with the verdicts on the claims that its runs decide, by key, in its header."""
    keys = [claim.key for claim in CLAIMS if claim.studies and claim.studies[0] == preset]
    lines = text.splitlines()
    end = next(i for i, line in enumerate(lines) if not line.startswith("#"))
    start = next((i for i in range(end) if lines[i].startswith(_FOUND)), end)
    if not keys or all(verdicts[key].verdict == NOT_RUN for key in keys):
        found = []
    else:
        outcome = "; ".join(f"{verdicts[key].verdict} `{key}`" for key in keys)
        found = _wrapped(f"{_FOUND} {outcome}. See RESULTS.md.", "# ", _PRESET_WIDTH).splitlines()
    return "\n".join([*lines[:start], *found, *lines[end:]]) + "\n"


def _wrapped(text: str, indent: str, width: int) -> str:
    return textwrap.fill(
        text, width, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False
    )
