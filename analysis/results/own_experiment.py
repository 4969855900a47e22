"""The notebooks over one experiment of any name, in place of the studies they were written for."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pandas as pd
from matplotlib import style

from analysis.figures.registry import FIGURES
from analysis.figures.style import Drawing, styles
from analysis.prediction.figure import prediction
from analysis.report.effects import varied_options
from analysis.report.statements import option_words, value_words
from analysis.results import cost_figures, findings, score_figures
from analysis.results.findings import Findings
from analysis.results.own_topics import ANY_NODES, OF_CLAIM, OF_FIGURE, OwnRuns, Topic, topics_of
from analysis.results.shown import Missing, Picture, Text, picture_of
from analysis.results.tables import laws_text, scaling_rows
from analysis.runs.runs import Runs
from analysis.runs.sources import STORE_VARIABLE, default_store, is_tracking_uri, load_studies
from analysis.runs.study import NothingToDraw, Study
from analysis.text import markdown_table
from ffn_core.errors import InputError
from ffn_core.files import REPOSITORY
from ffn_core.runtime import default_tracking_uri, sqlite_path

EXPERIMENT_VARIABLE: Final = "FFN_SCALING_EXPERIMENT"
"""Environment variable that names the experiment to read in place of the recorded studies."""

_MOST_VALUES: Final = 8


@dataclass(frozen=True)
class _Overview:
    """A figure over several studies, drawn of one experiment under their names.

    Attributes:
        draw: the figure, of studies and `metric`.
        studies: names it reads.
        tells: options that it tells apart; of runs that differ in others it would show a mixture.
        lacks: why there is none, in words that follow "has no".
        caption: in place of its own, where that says too much of other runs; else empty.
    """

    draw: Callable[..., Drawing]
    studies: tuple[str, ...]
    tells: tuple[str, ...]
    lacks: str
    caption: str = ""


_OVERVIEWS: Final[Mapping[str, _Overview]] = {
    "final_scores": _Overview(
        score_figures.final_scores,
        (*score_figures.RULE_STUDIES, score_figures.LOW_BASE),
        ("nodes", "lr_rule", "warmup"),
        "finished points with an F1 at two node counts",
    ),
    "rule_differences": _Overview(
        score_figures.rule_differences,
        score_figures.RULE_STUDIES,
        ("nodes", "lr_rule", "warmup"),
        "seed with linear and square-root scaling, both warmed up, at one node count",
    ),
    "rate_scores": _Overview(
        score_figures.rate_scores,
        (score_figures.RATE_STUDY,),
        ("nodes", "lr_base"),
        "finished points with an F1 at two learning rates",
        "Final score against the learning rate. Numbers at the bottom: runs that died, of all.",
    ),
    "optimizers": _Overview(
        score_figures.optimizer_scores,
        (score_figures.OPTIMIZER_STUDY,),
        ("nodes", "optimizer", "lr_base"),
        "finished points of two optimizers",
        "Final score of each optimizer against nodes.",
    ),
    "data_and_time": _Overview(
        cost_figures.data_and_time,
        (cost_figures.STUDY,),
        ("nodes", "lr_rule", "warmup", "optimizer"),
        "F1 target that every seed of three node counts reached",
    ),
}


@dataclass(frozen=True)
class OwnExperiment:
    """One experiment, asked what the notebooks ask of the studies; see `Findings` for the methods.

    Attributes:
        own: its runs.
    """

    own: OwnRuns

    def figure(self, name: str, study: str | None = None) -> Picture | Missing:
        """A figure of the notebooks, of this experiment; `study` is what it was written for."""
        del study
        try:
            with style.context(styles()):
                return picture_of(self._draw(name))
        except (NothingToDraw, InputError) as reason:
            needs = OF_FIGURE[name].missing(self.own)
            return Missing(Text(f"*No figure `{name}`: {reason}.* {needs}"))

    def findings(self, *keys: str) -> Text:
        """What these runs say of what some claims are about; or what it would take."""
        parts = [self._said(topic) for topic in topics_of(keys)]
        return Text("\n\n".join(parts))

    def laws(self, study: str) -> Text:
        """Which law the best learning rate of this experiment follows."""
        del study
        try:
            return Text(laws_text(Study(self.own.name, self.own.runs)))
        except NothingToDraw as reason:
            return Text(f"*No law: {reason}.* {OF_FIGURE['learning_rate'].missing(self.own)}")

    def scaling(self, *names: str) -> Text:
        """Weak and strong scaling of its real nodes and their coupling, as a table."""
        del names
        table = scaling_rows({self.own.name: self.own.runs})
        return Text("*No run on real nodes.*" if table.empty else markdown_table(table))

    def evidence(self, key: str) -> Text:
        """The numbers behind it."""
        return Text(markdown_table(OF_CLAIM[key].table(self.own)))

    def runs_shown(self, *names: str) -> Text:
        """Which points there are, and that they stand in the place of some studies."""
        table = self.own.runs.table
        finished = int((table["status"] == "FINISHED").sum())
        emulated = int(table["emulated"].astype(bool).sum())
        where = f"{emulated} of them on emulated nodes" if emulated else "on real nodes"
        studies = ", ".join(f"`{name}`" for name in names)
        return Text(
            f"- `{self.own.name}`, in place of {studies}: {finished} of {len(table)} points "
            f"finished, {where}\n"
            f"- varied: {_varied(table)}\n"
            "- What this page says about the study behind a figure is about those studies. "
            "Figures and numbers are of this experiment, and decide no claim: no plan for it was "
            "written before its runs."
        )

    def _said(self, topic: Topic) -> str:
        said = topic.words(self.own)
        if said:
            return "\n".join(f"- {line}" for line in said)
        return f"*`{self.own.name}` does not answer this.* {topic.missing(self.own)}"

    def _draw(self, name: str) -> Drawing:
        own = self.own
        if name == "prediction":
            predictor, _ = own.predictor()
            return prediction(predictor, own.cost, ANY_NODES)
        if name in _OVERVIEWS:
            return _overview(own, _OVERVIEWS[name])
        # The models that the notebook shows are of the published points.
        figure = "models" if name == "scaling_models" else name
        return FIGURES[figure](Study(own.name, own.runs))


def open_report(
    store: str | None = None, experiment: str | None = None
) -> Findings | OwnExperiment:
    """What a notebook reads: one experiment where it is named, else the studies it is written for.

    Args:
        store: MLflow tracking URI or folder of recorded studies; None for `FFN_SCALING_STORE`,
            else, with an experiment, one's own store (see `own_store`), else the recorded studies.
        experiment: its name; None for `FFN_SCALING_EXPERIMENT`, or none.

    Raises:
        InputError: there is no such store, or no such experiment in it.
    """
    name = experiment or os.environ.get(EXPERIMENT_VARIABLE)
    if not name:
        return findings.open_report(store)
    return OwnExperiment(OwnRuns(name, _runs_of(store or own_store(), name)))


def own_store() -> str:
    """`FFN_SCALING_STORE`, `MLFLOW_TRACKING_URI`, `mlflow.db` here or in the checkout, in order.

    Where there is none of these, the folder of the recorded studies. A notebook that Jupyter runs
    is in the folder of the notebooks, not where it was started from.
    """
    if os.environ.get(STORE_VARIABLE):
        return default_store()
    for uri in (default_tracking_uri(), f"sqlite:///{REPOSITORY / 'mlflow.db'}"):
        database = sqlite_path(uri)
        if database is None or Path(database).is_file():
            return uri
    return default_store()


def _runs_of(store: str, experiment: str) -> Runs:
    """The runs of one experiment of a store."""
    if is_tracking_uri(store):
        # Imported here: MLflow takes a second that recorded studies need not wait for.
        from analysis.runs.mlflow_reader import load_runs

        return load_runs(store, experiment)
    studies = load_studies(store)
    if experiment not in studies:
        raise InputError(
            f"no experiment {experiment!r} in {store}; there are: {', '.join(studies)}"
        )
    return studies[experiment]


def _overview(own: OwnRuns, overview: _Overview) -> Drawing:
    """A figure over several studies, of one experiment's runs."""
    # The peak follows from base, rule and nodes.
    mixed = [o for o in varied_options(own.points) if o not in (*overview.tells, "lr_peak")]
    if mixed:
        words = ", ".join(option_words(option) for option in mixed)
        raise NothingToDraw(f"it would mix runs that differ in {words}")
    studies = dict.fromkeys((*overview.studies, own.name), own.runs)
    try:
        drawing = overview.draw(studies, metric=Study(own.name, own.runs).score.f1)
    except NothingToDraw as reason:
        raise NothingToDraw(f"`{own.name}` has no {overview.lacks}") from reason
    return replace(drawing, caption=overview.caption or drawing.caption)


def _varied(table: pd.DataFrame) -> str:
    """Options that vary over the points, with their values, and the seeds; in words."""
    columns = [*varied_options(table), *(["seed"] if "seed" in table else [])]
    parts = []
    for column in columns:
        values = [
            value_words(column, v) for v in sorted(table[column].dropna().unique(), key=_order)
        ]
        more = len(values) - _MOST_VALUES
        shown = ", ".join(values[:_MOST_VALUES]) + (f" and {more} more" if more > 0 else "")
        parts.append(f"{option_words(column)} {shown}")
    return "; ".join(parts) or "nothing"


def _order(value: object) -> tuple[bool, object]:
    """Numbers by size, then words by letter."""
    return (isinstance(value, str), value)
