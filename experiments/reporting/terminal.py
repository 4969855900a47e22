"""What a person at the terminal sees of runs under way: progress bars, outcomes, a final table."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, track
from rich.table import Table

from experiments.reporting.redaction import redacted_text
from experiments.reporting.run_files import Record
from ffn_core.metric_names import AVERAGED_F1, THROUGHPUT, VALIDATION_F1

T = TypeVar("T")


class PointBar:
    """Progress of one run."""

    def __init__(self, progress: Progress, task: TaskID, close: Callable[[TaskID], None]) -> None:
        self._progress = progress
        self._task = task
        self._close = close
        self._f1 = ""
        self._rate = ""
        self._throughput: float | None = None

    def update(self, state: dict[str, Any], fresh: list[Record]) -> None:
        """Show the progress file of a run and the newest of its metrics."""
        for record in fresh:
            raw = record.metrics.get(VALIDATION_F1)
            if (f1 := record.metrics.get(AVERAGED_F1, raw)) is not None:
                self._f1 = f"F1 {f1:.3f}"
            if (rate := record.metrics.get(THROUGHPUT)) is not None:
                self._rate, self._throughput = f"{rate:,.1f} FOV/s", rate
        if not state:
            return
        total, done = state["budget_s"], state["elapsed_s"]
        if total is None:
            total = state["budget_steps"]
            done = state["step"]
        eta = f"ETA {duration((total - done) * state['elapsed_s'] / done)}" if done else ""
        self._progress.update(
            self._task,
            total=total,
            completed=done,
            status="  ".join(filter(None, [self._rate, self._f1, eta])),
        )

    def close(self) -> None:
        """Leave the bar as it is above those still moving."""
        self._close(self._task)


def duration(seconds: float) -> str:
    """Hours, minutes and seconds as 1:02:03."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"


class Terminal:
    """The terminal."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False)
        self._bars: Progress | None = None

    def bar(self, name: str) -> PointBar:
        """A progress bar for the run ``name``, below those of other runs, until it is closed."""
        if self._bars is None:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(bar_width=28),
                TextColumn("{task.percentage:>3.0f}%"),
                TimeElapsedColumn(),
                TextColumn("{task.fields[status]}"),
            )
            # One display for all: a terminal has a single last line. It goes with the last bar.
            self._bars = Progress(
                *columns, console=self.console, refresh_per_second=4, transient=True
            )
            self._bars.start()
        task = self._bars.add_task(name, total=None, status="starting ranks")
        return PointBar(self._bars, task, self._close_bar)

    def _close_bar(self, task: TaskID) -> None:
        assert self._bars is not None
        closed = [one for one in self._bars.tasks if one.id == task]
        self._bars.remove_task(task)
        self._bars.refresh()
        self.console.print(self._bars.make_tasks_table(closed))
        if not self._bars.tasks:
            self._bars.stop()
            self._bars = None

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

    def table(self, title: str, columns: list[str], rows: list[list[str]]) -> None:
        """A table on standard output."""
        table = Table(title=title, title_justify="left")
        for column in columns:
            table.add_column(column, no_wrap=True)
        for row in rows:
            table.add_row(*row)
        # A pipe or a file has no width of its own; there, nothing is cut.
        Console(highlight=False, width=None if sys.stdout.isatty() else 160).print(table)
