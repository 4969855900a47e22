"""How a study shows itself in the MLflow UI: experiment tags that the UI reads."""

from __future__ import annotations

import json

VIEW = "study"
"""Name of the saved view; ``?viewStateShareKey=study`` opens the run table with it."""

_COLUMNS = (
    "metrics.`validation/f1`",
    "metrics.`throughput/fovs_per_second`",
    "metrics.`noise_scale/simple`",
    "params.`cluster.nodes`",
    "params.`learning_rate.rule`",
    "params.`learning_rate.warmup`",
    "params.`optimizer.name`",
    "params.`seed`",
    "tags.`cluster.emulated`",
    "tags.`ffn_scaling.reason`",
)


def experiment_tags() -> dict[str, str]:
    """Tags of a new experiment: open on training runs, with the columns a study is read by."""
    view = {
        "selectedColumns": list(_COLUMNS),
        "orderByKey": "attributes.start_time",
        "orderByAsc": False,
        "searchFilter": "",
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "runsExpanded": {},
    }
    return {
        "mlflow.experimentKind": "custom_model_development",
        f"mlflow.sharedViewState.{VIEW}": json.dumps(view),
    }


def page(experiment_id: str) -> str:
    """Path of the experiment's run table in that view, below the address of the UI."""
    return f"/#/experiments/{experiment_id}/runs?viewStateShareKey={VIEW}"
