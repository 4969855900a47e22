"""What a person at the terminal sees of runs under way: bars, outcomes, tables.

Where standard error is no terminal, there are no bars; a run has a line for each of its reports.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final, TypeVar

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.progress import track
from rich.table import Table
from rich.text import Text

from experiments.reporting.progress import (
    STARTING,
    RunProgress,
    SweepProgress,
    bar_lines,
    report_line,
)
from experiments.reporting.records import Record
from experiments.reporting.redaction import redacted_text
from ffn_core.errors import InputError, in_one_line
from ffn_core.exit_codes import EXIT_INPUT

T = TypeVar("T")

WIDTH_OF_FILES: Final = 160
"""A pipe or a file has no width of its own."""

REPORT_EVERY_S: Final = 10.0
"""Reports of a run that come sooner after the last one have no line of a log of their own."""


class PointBar:
    """Progress of one run."""

    def __init__(self, terminal: Terminal, name: str) -> None:
        self.progress = RunProgress(name)
        self._terminal = terminal
        self._said_s = float("-inf")

    def update(self, state: dict[str, Any], fresh: list[Record]) -> None:
        """Show the progress file of a run and the newest of its metrics."""
        self.progress = self.progress.after(state, fresh)
        now_s = time.monotonic()
        if fresh and not self._terminal.moves and now_s - self._said_s >= REPORT_EVERY_S:
            self._said_s = now_s
            self._terminal.say(report_line(self.progress))

    def complete(self) -> None:
        """Show that all is done: the progress file is replaced a few times a second, not last."""
        self.progress = replace(self.progress, share=1.0)

    def close(self) -> None:
        """Leave the bar as it is above those still moving."""
        self._terminal.close_bar(self)


class _Bars:
    """The bars under way and the line of the sweep, as they are at the moment they are drawn."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        """The lines."""
        lines = bar_lines([bar.progress for bar in self._terminal.bars], options.max_width)
        if self._terminal.sweep is not None:
            lines.append(str(self._terminal.sweep)[: options.max_width])
        yield Text("\n".join(lines), no_wrap=True)


class Terminal:
    """The terminal.

    Attributes:
        bars: of runs under way.
        sweep: how far the sweep is that they are part of; None without one.
    """

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False)
        self.bars: list[PointBar] = []
        self.sweep: SweepProgress | None = None
        self._live: Live | None = None

    @property
    def moves(self) -> bool:
        """Whether lines can be drawn over: a terminal, no file or pipe."""
        return self.console.is_terminal

    def bar(self, name: str) -> PointBar:
        """A progress bar for the run ``name``, below those of other runs, until it is closed."""
        bar = PointBar(self, name)
        self.bars.append(bar)
        if not self.moves:
            self.say(f"{name}: {STARTING}")
        elif self._live is None:
            # One display for all: a terminal has a single last line. It goes with the last bar.
            self._live = Live(
                _Bars(self), console=self.console, refresh_per_second=4, transient=True
            )
            self._live.start()
        return bar

    def close_bar(self, bar: PointBar) -> None:
        """Leave a bar as it is above those still moving."""
        self.bars.remove(bar)
        if self._live is not None:
            self._live.refresh()
        if bar.progress.share is not None:
            lines = (
                bar_lines([bar.progress], self.console.width)
                if self.moves
                else [report_line(bar.progress)]
            )
            self.console.print(*lines, soft_wrap=True, markup=False)
        if self._live is not None and not self.bars:
            self._live.stop()
            self._live = None

    @contextmanager
    def point(self, name: str) -> Iterator[PointBar]:
        """The `bar` of a run as a context."""
        bar = self.bar(name)
        try:
            yield bar
        finally:
            bar.close()

    def track(self, items: Sequence[T], what: str) -> Iterator[T]:
        """Go through ``items`` under a progress bar with rate and ETA."""
        yield from track(items, description=what, console=self.console)

    def say(self, text: str) -> None:
        """A line for the user; secrets are masked here and in the others."""
        self.console.print(redacted_text(text), soft_wrap=True, markup=False)

    def warn(self, text: str) -> None:
        """A line that should not be missed."""
        self.console.print(
            f"warning: {redacted_text(text)}", style="yellow", soft_wrap=True, markup=False
        )

    def error(self, text: str) -> None:
        """One line about why something ended."""
        print(f"error: {redacted_text(text)}", file=sys.stderr)

    def exit_code_of(self, work: Callable[[], object]) -> int:
        """Do the work of a command; returns 0, or 2 with a line about what the user can repair."""
        try:
            work()
        except (InputError, OSError) as error:
            self.error(in_one_line(error))
            return EXIT_INPUT
        return 0

    def table(self, title: str, columns: list[str], rows: list[list[str]]) -> None:
        """A table on standard output, in which nothing is cut.

        Where it has too little width, cells of its first and last column take several lines.
        """
        width = None if sys.stdout.isatty() else WIDTH_OF_FILES
        console = Console(highlight=False, width=width)
        narrow = console.width < 100
        table = Table(
            title=redacted_text(title),
            title_justify="left",
            box=SIMPLE_HEAD,
            padding=(0, 1 if narrow else 2, 0, 0),
            pad_edge=False,
            show_edge=False,
        )
        for column in columns:
            folds = column in (columns[0], columns[-1])
            table.add_column(column, overflow="fold", no_wrap=not folds)
        for row in rows:
            table.add_row(*(Text(redacted_text(cell)) for cell in row))
        console.print(table)
