"""How far runs and sweeps are, in lines that fit a terminal or a log. Pure.

A terminal of any width shows a bar for each run under way and one line for the sweep; where there
is no terminal, a run has a line for each of its reports.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from experiments.reporting.records import Record
from ffn_core.metric_names import AVERAGED_F1, THROUGHPUT, VALIDATION_F1

STARTING: Final = "starting ranks"

_FULL, _EMPTY = "\N{BOX DRAWINGS HEAVY HORIZONTAL}", "\N{BOX DRAWINGS LIGHT HORIZONTAL}"
_BAR_WIDTHS: Final = ((140, 30), (100, 20), (60, 10))
"""Width of a bar by that of the terminal, the widest first; below the last there is none."""
_SHORTEST_NAME: Final = 12
_TRUSTED_S, _TRUSTED_SHARE = 10.0, 0.01
"""Before either is done, the time left would be guessed from first steps, which take longer."""


@dataclass(frozen=True)
class RunProgress:
    """How far a run is.

    Attributes:
        name: what it is called.
        share: of its budget that is done, 0 to 1; None before its first step.
        elapsed_s: seconds it has trained.
        fovs: FOVs processed, summed over nodes; None before its first report.
        rate: FOVs per second, newest; None before its first report.
        f1: of its newest validation, of averaged weights where they are kept.
    """

    name: str
    share: float | None = None
    elapsed_s: float = 0.0
    fovs: int | None = None
    rate: float | None = None
    f1: float | None = None

    def after(self, state: Mapping[str, Any], fresh: Sequence[Record]) -> RunProgress:
        """The same run, given its progress file (empty: none) and its newest records."""
        found = self
        for record in fresh:
            f1 = record.metrics.get(AVERAGED_F1, record.metrics.get(VALIDATION_F1, found.f1))
            rate = record.metrics.get(THROUGHPUT, found.rate)
            found = replace(found, fovs=record.fovs, rate=rate, f1=f1)
        if not state:
            return found
        return replace(found, share=share_done(state), elapsed_s=float(state["elapsed_s"]))

    @property
    def left_s(self) -> float | None:
        """Seconds of training left at the pace so far; None while that is not known."""
        if not self.share or (self.elapsed_s < _TRUSTED_S and self.share < _TRUSTED_SHARE):
            return None
        return self.elapsed_s * (1 - self.share) / self.share

    @property
    def status(self) -> list[str]:
        """What is known besides the share, the least important first."""
        if self.share is None and self.fovs is None:
            return [STARTING]
        time = f"in {duration(self.elapsed_s)}" if self.share == 1 else ""
        time = f"{duration(self.left_s)} left" if self.left_s else time
        rate = "" if self.rate is None else f"{self.rate:,.1f} FOV/s"
        return [word for word in (rate, score_words(self.f1), time) if word]


def share_done(state: Mapping[str, Any]) -> float | None:
    """Share of a budget that a progress file reports done; None for an empty one."""
    if not state:
        return None
    if state["budget_s"] is not None:
        return min(1.0, float(state["elapsed_s"] / state["budget_s"]))
    return min(1.0, float(state["step"] / state["budget_steps"]))


def score_words(f1: float | None) -> str:
    """A validation score as it is shown; empty before there is one."""
    return "" if f1 is None else f"F1 {f1:.3f}"


def duration(seconds: float) -> str:
    """Hours, minutes and seconds as 1:02:03."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"


def shortened(text: str, width: int) -> str:
    """``text`` in ``width`` characters: of one that is longer, the middle is left out.

    Names of points differ at both ends: nodes come first, the seed last.
    """
    if len(text) <= width:
        return text
    kept = max(0, width - 1)
    return text[: math.ceil(kept / 2)] + "…" + text[len(text) - kept // 2 :]


def bar_lines(runs: Sequence[RunProgress], width: int) -> list[str]:
    """A line for each run, none longer than ``width``: name, bar, percent, what else has room.

    Args:
        runs: under way.
        width: of the terminal in characters.
    """
    bar = next((cells for least, cells in _BAR_WIDTHS if width >= least), 0)
    statuses = [run.status for run in runs]
    longest = max((len(run.name) for run in runs), default=0)
    beside = bar + len("  100%  ")
    while True:
        ends = ["  ".join(words) for words in statuses]
        room = width - beside - max(map(len, ends), default=0)
        most = max(map(len, statuses), default=0)
        if room >= min(longest, _SHORTEST_NAME) or most <= 1:
            break
        statuses = [words[1:] if len(words) == most else words for words in statuses]
    name = max(1, min(longest, room))
    lines = []
    for run, end in zip(runs, ends, strict=True):
        percent = "" if run.share is None else f"{math.floor(run.share * 100)}%"
        line = f"{shortened(run.name, name):{name}} {_bar(run.share, bar)} {percent:>4}  {end}"
        lines.append(line[:width].rstrip())
    return lines


def _bar(share: float | None, cells: int) -> str:
    full = round((share or 0.0) * cells)
    return _FULL * full + _EMPTY * (cells - full)


def report_line(run: RunProgress) -> str:
    """A line of a log about a run."""
    done = "" if run.share is None else f"{run.share:.0%}"
    fovs = "" if run.fovs is None else f"{run.fovs:,} FOVs"
    return f"{run.name}: " + "  ".join(filter(None, [done, fovs, *run.status]))


@dataclass(frozen=True)
class SweepProgress:
    """How far a sweep is.

    Attributes:
        points: in all.
        ended: finished here or before, diverged, failed or refused.
        failed: of those, failed or refused.
        left_s: seconds until all have ended, at the pace so far; None while that is not known.
    """

    points: int
    ended: int
    failed: int = 0
    left_s: float | None = None

    def __str__(self) -> str:
        """The line, e.g. ``sweep: point 3 of 14, about 1:02:03 left``."""
        if self.ended < self.points:
            where = f"point {self.ended + 1} of {self.points}"
        else:
            where = f"all {self.points} points have ended"
        failed = f"{self.failed} failed" if self.failed else ""
        left = "" if self.left_s is None else f"about {duration(self.left_s)} left"
        return "sweep: " + ", ".join(filter(None, [where, failed, left]))
