"""What the runs of one experiment, whatever its name, say about each question, and what it takes.

An experiment of one's own was not planned like the recorded study: no claim is decided, effects are
reported as `analysis.report` does.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import pandas as pd

from analysis.models.predictor import Predictor
from analysis.prediction.answer import answer, assumptions
from analysis.prediction.inputs import TrainingCost, default_target, throughput_of, training_cost
from analysis.prediction.question import Question
from analysis.report.effects import Effect, effects, judged_points, score_name
from analysis.report.statements import (
    METHOD,
    effect_words,
    effects_table,
    headline,
    scaling_words,
)
from analysis.runs.presets import question
from analysis.runs.runs import Runs
from analysis.runs.summary import summarize
from analysis.stats.intervals import mean_interval
from analysis.text import node_words
from ffn_core.errors import InputError
from ffn_core.metric_names import (
    ASSIGNED_ARE,
    ASSIGNED_VOI_MERGE,
    ASSIGNED_VOI_SPLIT,
    BUDGET,
    SEGMENTATION_COVERAGE,
)

ANY_NODES: Final = Question(most_nodes=2048)
_ERRORS: Final = {
    "adapted Rand error": ASSIGNED_ARE,
    "VOI split": ASSIGNED_VOI_SPLIT,
    "VOI merge": ASSIGNED_VOI_MERGE,
    "share segmented": SEGMENTATION_COVERAGE,
}
"""Errors over what was segmented of the foreground, and how much that is."""


@dataclass(frozen=True)
class OwnRuns:
    """The runs of one experiment.

    Attributes:
        name: of the experiment.
        runs: its points, however they ended.
    """

    name: str
    runs: Runs

    @cached_property
    def points(self) -> pd.DataFrame:
        """Points that came to their end, with their scores; see `judged_points`."""
        return judged_points(self.runs)

    @cached_property
    def effects(self) -> list[Effect]:
        """What each option that varied did to the score, corrected for their number."""
        return effects(self.points)

    @cached_property
    def cost(self) -> TrainingCost:
        """FOVs to the highest score that half of the node counts reached.

        Raises:
            InputError: too few node counts, or no score.
        """
        return training_cost(self.runs, self.name, default_target(self.runs, self.name))

    def predictor(self) -> tuple[Predictor, str | None]:
        """Time and cost over node counts, as `analysis.predict` has them; and what was lacking.

        Raises:
            InputError: see `cost`, or nothing measured how fast a rank is.
        """
        throughput, lacking = throughput_of(self.runs, self.cost.runs)
        return Predictor(throughput, self.cost.fit, self.cost.local_batch_size), lacking

    @property
    def is_preset(self) -> bool:
        """Whether a preset of conf/experiment has this name."""
        return bool(question(self.name))

    def sweep(self, options: str) -> str:
        """The command that adds points with some options to this experiment."""
        named = f"{'experiment' if self.is_preset else 'tracking.experiment'}={self.name}"
        given = [shlex.quote(named), *([] if self.is_preset else self._kept()), options]
        return f"python -m experiments.train -m {' '.join(given)}"

    def _kept(self) -> list[str]:
        """Network and budget of the newest point, as options."""
        newest = self.runs.table.reindex(columns=["model_name", BUDGET]).iloc[-1]
        kept = [] if pd.isna(newest["model_name"]) else [f"model={newest['model_name']}"]
        amount, _, unit = str(newest[BUDGET]).partition(" ")
        return [*kept, f"budget.{unit}={amount}"] if unit else kept


@dataclass(frozen=True)
class Topic:
    """One kind of question.

    Attributes:
        needs: the runs it takes, in words.
        command: that makes them.
        words: what the runs say, a sentence each; none where they say nothing.
        table: the numbers behind it.
    """

    needs: str
    command: Callable[[OwnRuns], str]
    words: Callable[[OwnRuns], list[str]]
    table: Callable[[OwnRuns], pd.DataFrame]

    def missing(self, own: OwnRuns) -> str:
        """What it needs, with the command, in Markdown."""
        command = self.command(own)
        alike = ""
        if "tracking.experiment=" in command:
            alike = "\n\nAdd the other options of your runs, so that points differ in nothing else."
        return f"It needs {self.needs}:\n\n```bash\n{command}\n```{alike}"


def _sweep(options: str) -> Callable[[OwnRuns], str]:
    return lambda own: own.sweep(options)


def _effects(column: str, needs: str, options: str) -> Topic:
    """The effects of one option, against nothing else that varied."""

    def mine(own: OwnRuns) -> list[Effect]:
        return [one for one in own.effects if one.option == column]

    def words(own: OwnRuns) -> list[str]:
        said = [effect_words(one) for one in mine(own)]
        return [*said, f"*{METHOD}*"] if said else []

    return Topic(needs, _sweep(options), words, lambda own: effects_table(mine(own)))


def _cost_words(own: OwnRuns) -> list[str]:
    try:
        predictor, lacking = own.predictor()
    except InputError:
        return []
    said = answer(predictor, own.cost, ANY_NODES)
    return [*said, *assumptions(predictor.throughput, own.cost, lacking)]


def _cost_table(own: OwnRuns) -> pd.DataFrame:
    try:
        cost = own.cost
    except InputError:
        return pd.DataFrame()
    by_nodes = cost.runs.groupby("nodes")["fovs"]
    table = by_nodes.agg(runs="size", reached="count", fovs="mean").reset_index()
    return table.rename(columns={"fovs": f"FOVs to F1 {cost.target:g}, mean"})


def _training_words(own: OwnRuns) -> list[str]:
    return headline(own.points, score_name(own.runs))


def _training_table(own: OwnRuns) -> pd.DataFrame:
    shown = own.points.dropna(subset=["score"]).sort_values("score", ascending=False)
    return shown.reindex(columns=["name", "nodes", "seed", "score", "best"])


def _scaling_words(own: OwnRuns) -> list[str]:
    said = scaling_words(own.runs)
    return said if len(said) > 1 else []


def _scaling_table(own: OwnRuns) -> pd.DataFrame:
    finished = own.runs.finished()
    if finished.table.empty:
        return pd.DataFrame()
    summary = summarize(finished)
    real = summary[~summary["emulated"].astype(bool)].dropna(subset=["fovs_per_second"])
    by = real.groupby(["nodes", "local_batch_size"])["fovs_per_second"]
    return by.agg(["count", "mean", "min", "max"]).reset_index()


def _last_errors(own: OwnRuns) -> pd.DataFrame:
    """Segmentation errors of the last checkpoint of each finished run; rows with any only."""
    finished = own.runs.finished()
    ids = finished.table["run_id"]
    errors = {words: ids.map(finished.last(name)) for words, name in _ERRORS.items()}
    table = pd.DataFrame({"nodes": finished.table["nodes"], **errors})
    return table.dropna(subset=["adapted Rand error"])


def _segmentation_words(own: OwnRuns) -> list[str]:
    said = []
    for nodes, rows in _last_errors(own).groupby("nodes"):
        error = mean_interval(rows["adapted Rand error"].to_numpy())
        interval = f" ({error.low:.3f} to {error.high:.3f})" if len(rows) > 1 else ""
        runs = f"{len(rows)} run{'s' if len(rows) > 1 else ''}"
        said.append(
            f"Adapted Rand error of the last checkpoint, trained on {node_words(int(str(nodes)))}: "
            f"{error.estimate:.3f}{interval} over {rows['share segmented'].mean():.0%} of the"
            f" foreground, {runs}."
        )
    return said


def _segmentation_table(own: OwnRuns) -> pd.DataFrame:
    return _last_errors(own).groupby("nodes").mean().reset_index()


def _segment_command(own: OwnRuns) -> str:
    folders = own.runs.finished().table.reindex(columns=["run_dir"])["run_dir"].dropna()
    folder = str(folders.iloc[-1]) if len(folders) else f"runs/{own.name}/RUN"
    return f"python -m experiments.segment_checkpoints checkpoint={shlex.quote(folder)}"


RULES: Final = _effects(
    "lr_rule",
    "finished runs alike in all but the learning-rate rule, with several seeds",
    "cluster.nodes=2,8,32 learning_rate.rule=linear,sqrt seed=1,2,3",
)
WARMUP: Final = _effects(
    "warmup",
    "finished runs with and without warm-up, with several seeds",
    "cluster.nodes=2,8,32 warmup=none,tenth seed=1,2,3",
)
RATES: Final = _effects(
    "lr_base",
    "finished runs with three learning rates at each of two node counts",
    "cluster.nodes=2,8 learning_rate.rule=none learning_rate.base=3e-4,1e-3,3e-3 seed=1,2,3",
)
OPTIMIZERS: Final = _effects(
    "optimizer",
    "finished runs with several optimizers, each at a rate of its own, with several seeds",
    "cluster.nodes=2,32 seed=1,2,3 "
    "'sweep.pair={optimizer.name:adam,learning_rate.base:0.001},"
    "{optimizer.name:lamb,learning_rate.base:0.003}'",
)
COST: Final = Topic(
    "finished runs at three node counts, two seeds each, that reach an F1 above the trivial one",
    _sweep("cluster.nodes=2,8,32 seed=1,2"),
    _cost_words,
    _cost_table,
)
SCALING: Final = Topic(
    "finished runs on real nodes (a process each) at three node counts, one after another",
    _sweep("cluster.nodes=1,2,4 'cluster.ranks=${cluster.nodes}' seed=1,2"),
    _scaling_words,
    _scaling_table,
)
TRAINING: Final = Topic(
    "finished runs that differ in their seed only",
    _sweep("seed=1,2,3"),
    _training_words,
    _training_table,
)
SEGMENTATION: Final = Topic(
    "runs whose checkpoints were segmented and scored; for each run",
    _segment_command,
    _segmentation_words,
    _segmentation_table,
)

OF_CLAIM: Final = {
    **dict.fromkeys(("linear_small", "sqrt_large", "linear_dies", "unscaled_as_good"), RULES),
    **dict.fromkeys(("crossover", "noise_predicts_crossover", "sqrt_large_real"), RULES),
    **dict.fromkeys(("linear_low_base", "linear_dies_base", "rate_growth"), RATES),
    **dict.fromkeys(("warmup_linear", "warmup_sqrt", "warmup_deaths"), WARMUP),
    **dict.fromkeys(("sqrt_large_again", "linear_dies_again", "linear_small_again"), RULES),
    "linear_dies_base_again": RATES,
    "warmup_deaths_again": WARMUP,
    **dict.fromkeys(("small_batch_data", "large_batch_time", "large_batch_time_again"), COST),
    **dict.fromkeys(("growing_batch_data", "growing_batch_time"), COST),
    "noise_predicts_critical_batch": COST,
    **dict.fromkeys(("adam_best", "adaptive_survive"), OPTIMIZERS),
    **dict.fromkeys(("adam_best_again", "adaptive_survive_again"), OPTIMIZERS),
    **dict.fromkeys(("efficiency_measured", "coupling"), SCALING),
    **dict.fromkeys(("efficiency_1024", "efficiency_2048"), SCALING),
    **dict.fromkeys(("accuracy", "real_gate"), TRAINING),
    **dict.fromkeys(("segmentation_improves", "segmentation_at_scale"), SEGMENTATION),
    "coverage_at_scale": SEGMENTATION,
}
"""What stands in the place of each claim of the plan."""

OF_FIGURE: Final = {
    **dict.fromkeys(("final_scores", "rule_differences", "recipes_vs_fovs"), RULES),
    **dict.fromkeys(("learning_rate", "learning_rate_laws", "rate_scores"), RATES),
    "optimizers": OPTIMIZERS,
    **dict.fromkeys(("data_and_time", "cost_to_target", "time_vs_cost", "prediction"), COST),
    **dict.fromkeys(("scores_vs_fovs", "scores_vs_time", "noise_scale"), COST),
    "growing_batch": COST,
    **dict.fromkeys(("throughput", "parallel_efficiency", "scaling_models"), SCALING),
    **dict.fromkeys(("phase_breakdown", "stragglers"), SCALING),
    "training_curve": TRAINING,
    **dict.fromkeys(("evaluation", "segmentations"), SEGMENTATION),
}
"""What each figure of the notebooks is about."""


def topics_of(claims: Sequence[str]) -> list[Topic]:
    """What some claims are about, each topic once, in order."""
    found: list[Topic] = []
    for claim in claims:
        if OF_CLAIM[claim] not in found:
            found.append(OF_CLAIM[claim])
    return found
