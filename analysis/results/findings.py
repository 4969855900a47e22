"""What the notebooks and the page show: figures, tables and findings of a store's studies."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import pandas as pd
from matplotlib import style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from analysis.claims.judge import judge, verdict_sentence
from analysis.figures.registry import FIGURES
from analysis.figures.scaling_models import fitted_models
from analysis.figures.style import Drawing, styles
from analysis.models.model_average import published_throughput
from analysis.recorded import provenance
from analysis.results import overview_figures
from analysis.results.overview_figures import predicted
from analysis.runs.presets import pilot_target
from analysis.runs.sources import default_store, is_tracking_uri, load_studies
from analysis.runs.study import NothingToDraw, Study
from analysis.text import markdown_table
from analysis.verdicts.scored_runs import Studies
from analysis.verdicts.verdict import Verdict

DPI: Final = 130
_COLORS: Final = 256


def png(figure: Figure, dpi: int = DPI) -> bytes:
    """The figure as a PNG with a palette: a third of the size, and no difference to be seen.

    The same figure gives the same bytes.
    """
    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    image = Image.frombuffer(
        "RGBA", canvas.get_width_height(), canvas.buffer_rgba(), "raw", "RGBA", 0, 1
    )
    palette = image.convert("RGB").quantize(_COLORS, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    palette.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


_IDS = re.compile(r"\): (`[^`]+`(, )?)+( and \d+ more \(in `summary.csv`\))?\.")

# Figures that are not of one study.
OVERVIEWS: Mapping[str, Callable[[Studies], Drawing]] = {
    "final_scores": overview_figures.final_scores,
    "rule_differences": overview_figures.rule_differences,
    "optimizers": overview_figures.optimizers,
    "scaling_models": lambda _: fitted_models(published_throughput()),
    "prediction": predicted,
}


@dataclass(frozen=True)
class Text:
    """Markdown, shown as such in a notebook."""

    markdown: str

    def __repr__(self) -> str:
        return self.markdown

    def _repr_markdown_(self) -> str:
        return self.markdown


@dataclass(frozen=True)
class Picture:
    """A figure as PNG, shown as such in a notebook; its details are a list in Markdown."""

    png: bytes = field(repr=False)
    caption: Text = field(repr=False)
    details: Text = field(repr=False)

    def _repr_png_(self) -> bytes:
        return self.png


@dataclass(frozen=True)
class Missing:
    """In the place of a figure that the runs do not support."""

    caption: Text

    def _repr_markdown_(self) -> str:
        return ""


@dataclass(frozen=True)
class Findings:
    """Studies of one store.

    Attributes:
        store: MLflow tracking URI or folder of recorded studies.
        studies: runs of each study by name.
        target: score whose cost the study asks for; None before the pilot has set it.
    """

    store: str
    studies: Studies
    target: float | None = None

    @cached_property
    def verdicts(self) -> dict[str, Verdict]:
        """Verdict on every claim, by key."""
        return {one.key: one for one in judge(self.studies, self.target)}

    def figure(self, name: str, study: str | None = None) -> Picture | Missing:
        """A figure by name: one of `OVERVIEWS`, or one of `analysis.figures.FIGURES` of a study."""
        try:
            with style.context(styles()):
                drawing = self._draw(name, study)
                details = "\n".join(f"- {without_ids(detail)}" for detail in drawing.details)
                return Picture(png(drawing.figure), Text(f"*{drawing.caption}*"), Text(details))
        except NothingToDraw as reason:
            return Missing(Text(f"*No figure: {reason}.*"))

    def findings(self, *keys: str) -> Text:
        """The verdicts on some claims, in words."""
        return Text("\n".join(f"- {verdict_sentence(self.verdicts[key])}" for key in keys))

    def evidence(self, key: str) -> Text:
        """The numbers a verdict rests on."""
        return Text(markdown_table(self.verdicts[key].evidence))

    def provenance(self) -> dict[str, dict[str, Any]]:
        """Provenance of the recorded studies, by name; none of an MLflow store."""
        if is_tracking_uri(self.store):
            return {}
        return {name: provenance.read(Path(self.store) / name) for name in self.studies}

    def notes(self, *names: str) -> list[str]:
        """What was noted about some recorded studies, as list items; none of an MLflow store."""
        if is_tracking_uri(self.store):
            return []
        said = {name: provenance.note(Path(self.store) / name) for name in names}
        return [f"- `{name}`: {note}" for name, note in said.items() if note]

    def runs_shown(self, *names: str) -> Text:
        """Which points of some studies there are, and where they come from."""
        known = self.provenance()
        lines = [_study_line(name, self.studies, known.get(name, {})) for name in names]
        return Text("\n".join([*lines, *self.notes(*names)]))

    def _draw(self, name: str, study: str | None) -> Drawing:
        if name == "data_and_time":
            return overview_figures.data_and_time(self.studies, self.target)
        if study is None:
            return OVERVIEWS[name](self.studies)
        if study not in self.studies or self.studies[study].table.empty:
            raise NothingToDraw(f"no run of `{study}` is recorded")
        return FIGURES[name](Study(study, self.studies[study]))


def open_report(store: str | None = None) -> Findings:
    """Studies of an MLflow store or a folder; None for `FFN_SCALING_STORE` or the recorded ones.

    Raises:
        InputError: there is no such store, or no study in it.
    """
    where = store or default_store()
    return Findings(where, load_studies(where), pilot_target())


def without_ids(caption: str) -> str:
    """A sentence without the list of its runs' ids, which the recorded tables hold."""
    return _IDS.sub(").", caption)


def _study_line(name: str, studies: Studies, facts: Mapping[str, Any]) -> str:
    if name not in studies:
        return f"- `{name}`: no run recorded"
    table = studies[name].table
    finished = int((table["status"] == "FINISHED").sum())
    emulated = int(table["emulated"].astype(bool).sum())
    planned = facts.get("points", {}).get("planned")
    of = f" of {planned} planned" if planned else ""
    where = f", {emulated} of them on emulated nodes" if emulated else ", on real nodes"
    line = f"- `{name}`: {finished} points finished{of}{where}"
    if not facts:
        return line
    host = provenance.one_fact(facts, "device.name", "host.cpu")
    cores = provenance.one_fact(facts, "host.cores")
    commit = ", ".join(c[:8] for c in facts.get("produced by", {}).get("git.commit", []))
    recorded = facts.get("recorded", {}).get("last", "unknown")
    return f"{line}; {host}, {cores} cores, commit {commit or 'unknown'}, {recorded}"


def seeds_of(table: pd.DataFrame) -> str:
    """Seeds of a study, as text."""
    return ", ".join(str(int(s)) for s in sorted(table["seed"].dropna().unique()))
