"""What the studies of a store say: figures, tables and findings for the notebooks and the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib import style

from analysis.claims.judge import judge
from analysis.figures.registry import FIGURES
from analysis.figures.scaling_models import fitted_models
from analysis.figures.style import Drawing, styles
from analysis.models.model_average import published_throughput
from analysis.recorded import provenance
from analysis.results import cost_figures, score_figures
from analysis.results.shown import Missing, Picture, Text, picture_of
from analysis.results.tables import laws_text, precision_words, scaling_rows
from analysis.runs.presets import pilot_target, question
from analysis.runs.sources import default_store, is_tracking_uri, load_studies
from analysis.runs.study import NothingToDraw, Study
from analysis.text import capitalized, markdown_table
from analysis.verdicts.scored_runs import Studies
from analysis.verdicts.verdict import Verdict
from analysis.verdicts.words import sentence

# Figures that are not of one study.
OVERVIEWS: Mapping[str, Callable[[Studies], Drawing]] = {
    "final_scores": score_figures.final_scores,
    "rule_differences": score_figures.rule_differences,
    "rate_scores": score_figures.rate_scores,
    "optimizers": score_figures.optimizer_scores,
    "scaling_models": lambda _: fitted_models(published_throughput()),
}


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
                return picture_of(self._draw(name, study))
        except NothingToDraw as reason:
            return Missing(Text(f"*No figure: {reason}.*"))

    def findings(self, *keys: str) -> Text:
        """The verdicts on some claims, in words."""
        return Text("\n".join(f"- {sentence(self.verdicts[key])}" for key in keys))

    def laws(self, study: str) -> Text:
        """Which law the best learning rate of a study follows; why none is fitted, if so."""
        try:
            return Text(laws_text(self._study(study)))
        except NothingToDraw as reason:
            return Text(f"*No law: {reason}.*")

    def precision(self, study: str) -> Text:
        """What bfloat16 changes of the scores of a study; why nothing is known, if so."""
        try:
            return Text(precision_words(self._study(study)))
        except NothingToDraw as reason:
            return Text(f"*Not known: {reason}.*")

    def scaling(self, *names: str) -> Text:
        """Weak and strong scaling of real nodes and their coupling, of some studies as a table."""
        table = scaling_rows({n: self.studies[n] for n in names if n in self.studies})
        return Text("*No run on real nodes.*" if table.empty else markdown_table(table))

    def evidence(self, key: str) -> Text:
        """The numbers a verdict rests on, and the runs they come from."""
        verdict = self.verdicts[key]
        return Text(f"{markdown_table(verdict.evidence)}\n\n{capitalized(verdict.basis)}.")

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
            return cost_figures.data_and_time(self.studies, self.target)
        if name == "prediction":
            return cost_figures.predicted(self.studies, self.target)
        if study is None:
            return OVERVIEWS[name](self.studies)
        return FIGURES[name](self._study(study))

    def _study(self, name: str) -> Study:
        if name not in self.studies or self.studies[name].table.empty:
            raise NothingToDraw(f"no run of `{name}` is recorded")
        return Study(name, self.studies[name])


def open_report(store: str | None = None) -> Findings:
    """Studies of an MLflow store or a folder; None for `FFN_SCALING_STORE` or the recorded ones.

    Raises:
        InputError: there is no such store, or no study in it.
    """
    where = store or default_store()
    return Findings(where, load_studies(where), pilot_target())


def _study_line(name: str, studies: Studies, facts: Mapping[str, Any]) -> str:
    if name not in studies:
        preset = f"; `python -m experiments.train -m experiment={name}` makes them"
        return f"- `{name}`: no run recorded{preset if question(name) else ''}"
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
