"""How a study opens in the MLflow UI: addresses, the saved view of its runs, its charts. Pure.

MLflow keeps a shared view as a tag of the experiment, ``mlflow.sharedViewState.NAME``, whose value
is the state of its page as JSON (fields as in MLflow 3.17, `ExperimentPageUIState` of its web
client). It leaves out which rows are expanded, so that the view is filtered to points instead of
expanding sweeps; and it does not round metrics, so that the table shows the tags of
`experiments.reporting.point_summary`, which are short and rounded.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import Any, Final

from experiments.reporting.redaction import redacted_text
from ffn_core import metric_names as names

VIEW: Final = "study"
"""Name of the saved view; ``?viewStateShareKey=study`` opens the run table with it."""

# Without it the page opens on traces of language models, unless the browser has chosen before.
_TRAINING: Final = "workflowType=machine_learning"

_WIDTHS: Final = {
    names.SHOWN_NODES: 64,
    names.SHOWN_RULE: 76,
    names.SHOWN_WARMUP: 80,
    names.SHOWN_OPTIMIZER: 82,
    names.SHOWN_SEED: 54,
    names.SHOWN_MACHINE: 80,
    names.SHOWN_FINAL: 62,
    names.SHOWN_BEST: 62,
    names.SHOWN_THROUGHPUT: 70,
    names.SHOWN_EFFICIENCY: 84,
    names.SHOWN_OUTCOME: 84,
}
"""Columns of the table in their order, tags of a point, and their width in pixels."""

_NAME_COLUMN: Final = "attributes.`Run Name`"
_NAME_PX: Final = (170, 420)
_PX_PER_CHARACTER: Final = 6.6
_PX_BESIDE_NAME: Final = 56

_MOST_SHOWN: Final = 40
"""With more points than this, charts draw the 20 best only."""

_COLLAPSED: Final = (
    *(names.AVERAGED, names.VALIDATION, names.TRAIN, "score", "baseline", "Model metrics"),
    *("noise_scale", "throughput", "scaling", "compute", "segmentation", "cluster", "sweep"),
    *("time", "System metrics"),
)
"""Sections that MLflow makes by itself, named for the metrics in them: listed they come last."""


def table_page(experiment_id: str) -> str:
    """Path of the table of points of an experiment, below the address of the UI."""
    return f"/#/experiments/{experiment_id}/runs?{_TRAINING}&viewStateShareKey={VIEW}"


def charts_page(experiment_id: str) -> str:
    """Path of the charts of an experiment."""
    return f"{table_page(experiment_id)}&compareRunsMode=CHART"


def run_page(experiment_id: str, run_id: str, artifact: str = "") -> str:
    """Path of a run, or of one of its artifacts."""
    tab = f"/artifacts/{artifact}" if artifact else ""
    return f"/#/experiments/{experiment_id}/runs/{run_id}{tab}?{_TRAINING}"


def address_of(uri: str) -> tuple[str, str]:
    """Command that opens the UI of a store, empty for a server, and the UI's address."""
    if uri.startswith(("http://", "https://")):
        return "", redacted_text(uri).rstrip("/")
    store = shlex.quote(redacted_text(uri))
    command = f"mlflow ui --host 127.0.0.1 --backend-store-uri {store}"
    return command, "http://127.0.0.1:5000"


def study_note(question: str, score: str) -> str:
    """Description of an experiment, in Markdown."""
    how = (
        f"The view `{VIEW}` shows the points, best final score (`{score}`) first. A step of every "
        "metric is one FOV, summed over nodes. Throughput of an emulated point is that of its "
        f"processes; only real points have an efficiency. The runs of sweeps (tag {names.KIND} = "
        f"{names.SWEEP}) hold the figures and a report."
    )
    return "\n\n".join(filter(None, (question, how)))


def experiment_tags(
    varying: Sequence[str] = (),
    points: int = 0,
    longest_name: int = 24,
    score: str = names.AVERAGED_F1,
    note: str = "",
) -> dict[str, str]:
    """Tags of an experiment: what it is, and the saved view of its points.

    Args:
        varying: parameters that its points differ in, for the chart that sets them side by side.
        points: how many there are.
        longest_name: characters of the longest name of a run, which is to fit its column.
        score: metric that points are judged by, best first.
        note: description, in Markdown; none is set where it is empty.
    """
    tags = {
        "mlflow.experimentKind": "custom_model_development",
        f"mlflow.sharedViewState.{VIEW}": json.dumps(
            {
                **_table(longest_name, score.endswith(names.LOSS)),
                **_charts(varying, score),
                "runsHiddenMode": "FIRST_20_RUNS" if points > _MOST_SHOWN else "SHOW_ALL",
            }
        ),
    }
    return tags | ({names.NOTE: note} if note else {})


def _table(longest_name: int, falling: bool) -> dict[str, Any]:
    columns = {f"tags.`{tag}`": width for tag, width in _WIDTHS.items()}
    low, high = _NAME_PX
    fitting = round(_PX_PER_CHARACTER * longest_name) + _PX_BESIDE_NAME
    widths = {_NAME_COLUMN: min(max(fitting, low), high), "runDateAndNestInfo": 105, "duration": 80}
    return {
        "selectedColumns": list(columns),
        "columnOrder": [_NAME_COLUMN, "runDateAndNestInfo", *columns, "duration"],
        "columnWidths": widths | columns,
        "orderByKey": f"metrics.`{names.SCORE_FINAL}`",
        "orderByAsc": falling,
        "searchFilter": f"tags.`{names.KIND}` = '{names.POINT}'",
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
    }


def _charts(varying: Sequence[str], score: str) -> dict[str, Any]:
    against_fovs, against_nodes, side_by_side = "fovs", "nodes", "varies"
    raw = names.score_metric(names.VALIDATION, score.rpartition("/")[2])
    lines = dict.fromkeys((score, raw, names.TRAIN_LOSS, names.LEARNING_RATE))
    charts = [_line(metric, against_fovs) for metric in lines]
    # Throughput of real points only: that of an emulated one is not that of so many nodes.
    ends = (names.SCORE_FINAL, names.REAL_THROUGHPUT, names.PARALLEL_EFFICIENCY)
    charts += [_scatter(metric, against_nodes) for metric in ends]
    sections = [
        _section(against_fovs, "Against FOVs (= step)"),
        _section(against_nodes, "Against nodes"),
    ]
    if varying:
        charts.append(_parallel(varying, side_by_side))
        sections.append(_section(side_by_side, "What varies"))
    rest = [_section(f"rest {name}", name, shown=False) for name in _COLLAPSED]
    return {
        "compareRunCharts": charts,
        "compareRunSections": [*sections, *rest],
        "isAccordionReordered": True,  # or MLflow sorts the sections by name
        "hideEmptyCharts": True,
        "globalLineChartConfig": {
            "xAxisKey": "step",
            "lineSmoothness": 0,
            "selectedXAxisMetricKey": "",
        },
    }


def _section(uuid: str, name: str, shown: bool = True) -> dict[str, Any]:
    return {
        "uuid": uuid,
        "name": name,
        "display": shown,
        "isReordered": shown,
        "deleted": False,
        "isGenerated": not shown,
    }


def _card(kind: str, section: str, of: str, **values: Any) -> dict[str, Any]:
    """What charts of every kind have; MLflow fills in what is left out."""
    return {
        "uuid": f"{section} {of}",
        "type": kind,
        "metricSectionId": section,
        "deleted": False,
        "isGenerated": False,
        **values,
    }


def _line(metric: str, section: str) -> dict[str, Any]:
    title = f"{metric} against FOVs"
    keys = {"metricKey": metric, "selectedMetricKeys": [metric], "displayName": title}
    return _card("LINE", section, metric, **keys, **_LINE)


_LINE: Final = {
    "lineSmoothness": 0,
    "xAxisScaleType": "linear",
    "scaleType": "linear",
    "range": {},
    "xAxisKey": "step",
    "selectedXAxisMetricKey": "",
    "yAxisKey": "metric",
    "yAxisExpressions": [],
    "ignoreOutliers": False,
    "useGlobalXaxisKey": True,
    "useGlobalLineSmoothing": True,
    "runsCountToCompare": _MOST_SHOWN,
}


def _scatter(metric: str, section: str) -> dict[str, Any]:
    axes = {
        "xaxis": {"key": names.NODES, "type": "PARAM"},
        "yaxis": {"key": metric, "type": "METRIC"},
    }
    title = f"{metric} against nodes"
    return _card("SCATTER", section, metric, **axes, displayName=title, runsCountToCompare=100)


def _parallel(varying: Sequence[str], section: str) -> dict[str, Any]:
    axes = {"selectedParams": list(varying), "selectedMetrics": [names.SCORE_FINAL]}
    return _card("PARALLEL", section, "all", **axes, showAllRuns=True)
