"""The vocabulary holds every name that is recorded, and is the only place that spells one."""

import ast
import re
from pathlib import Path

import pandas as pd
import pytest

from ffn_core import metric_names
from ffn_core.files import REPOSITORY
from ffn_core.metric_names import METRICS, PHASES, metric_of

# The contract with people who read the store: section 5 of the design, spelled out.
CONTRACT = {
    "train": "f1 precision recall accuracy loss",
    "validation": "f1 precision recall accuracy loss f1_half auc",
    "averaged": "f1 precision recall accuracy loss f1_half auc",
    "baseline": "f1",
    "score": "final best best_fovs",
    "throughput": "fovs_per_second",
    "scaling": "parallel_efficiency baseline_nodes speedup coupling_efficiency",
    "time": "step_s compute_s allreduce_s input_s straggler_wait_s slowest_rank",
    "noise_scale": "simple",
    "compute": "fraction_of_peak",
}

# Arrays in the archive of a checkpoint, not metrics.
NOT_METRICS = {"ffn_core/training/checkpoint.py"}


def test_what_was_promised_is_in_the_vocabulary():
    promised = {f"{group}/{name}" for group, names in CONTRACT.items() for name in names.split()}
    assert promised | {"learning_rate"} <= set(METRICS)


@pytest.mark.parametrize("name", ["validation/iou", "time/sleep_s", "f1", "system/rank0"])
def test_other_names_are_not(name):
    assert metric_of(name) is None


def test_every_metric_of_the_recorded_studies_is_in_the_vocabulary():
    recorded = (REPOSITORY / "analysis/recorded").glob("*/history.parquet")
    names = {name for path in recorded for name in pd.read_parquet(path)["metric"].unique()}
    assert names, "there are recorded studies"
    assert {name for name in names if metric_of(name) is None} == set()


def test_every_metric_says_in_one_line_what_it_is():
    for name, metric in METRICS.items():
        assert 5 < len(metric.meaning) < 140, name
        assert "\n" not in metric.meaning, name


def test_phases_have_their_time_metric():
    assert {metric_names.time_metric(phase) for phase in PHASES} <= set(METRICS)


def _texts(path: Path) -> set[str]:
    """Strings of a module that are no docstrings; the constant parts of f-strings too."""
    tree = ast.parse(path.read_text())
    lone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in lone
    }


def test_no_other_module_spells_a_metric_or_tag():
    """Names with a group, that is; ``learning_rate`` alone is a section and a figure too."""
    groups = {name.partition("/")[0] for name in METRICS if "/" in name}
    spelled = re.compile(rf"(?<![\w./])(?:(?:{'|'.join(groups)})/(?:\w|$)|ffn_scaling\.)")
    modules = [
        path
        for package in ("ffn_core", "experiments", "analysis")
        for path in (REPOSITORY / package).rglob("*.py")
        if path.parent.name != "notebooks" and path != Path(metric_names.__file__)
    ]
    found = {
        str(path.relative_to(REPOSITORY)): texts
        for path in modules
        if (texts := sorted(text for text in _texts(path) if spelled.search(text)))
    }
    assert {p: t for p, t in found.items() if p not in NOT_METRICS} == {}, (
        "name it in ffn_core/metric_names.py and import it from there"
    )
