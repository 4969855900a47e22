"""What the files of a run that has ended say of it."""

from pathlib import Path

import pytest

from experiments.reporting.records import Record
from experiments.reporting.run_files import RunDirectory
from experiments.sweep.outcome import conclude
from ffn_core.exit_codes import EXIT_DIVERGED
from ffn_core.metric_names import BASELINE_F1, SCORE_BEST, SCORE_BEST_FOVS, SCORE_FINAL


def finished(folder: Path, name: str, values, baseline: float = 0.3) -> Path:
    run = RunDirectory(folder)
    for index, value in enumerate(values):
        metrics = {name: value} | ({BASELINE_F1: baseline} if not index else {})
        run.append(Record(index, 1000 * index, 1.0, 0.0, metrics))
    score = {"name": name, "evaluations": 1}
    score |= {SCORE_FINAL: values[-1], SCORE_BEST: max(values), SCORE_BEST_FOVS: 0.0}
    run.write_result({"outcome": "finished", "score": score, "records": len(values)})
    return folder


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("averaged/f1", [0.0, 0.1, 0.2, 0.3, 0.4, 0.5], "averaged/f1 was still rising"),
        ("averaged/f1", [0.0, 0.2, 0.2, 0.2, 0.2, 0.2], "averaged/f1 is 0.200, no better"),
        ("averaged/auc", [0.5, 0.5, 0.5, 0.5, 0.5, 0.5], "averaged/auc is 0.500, no better"),
        ("averaged/accuracy", [0.2] * 6, "averaged/accuracy has leveled off"),
        ("validation/loss", [0.6, 0.5, 0.4, 0.3, 0.2, 0.1], "validation/loss was still falling"),
    ],
)
def test_a_finished_run_says_how_it_went(tmp_path, name, values, said):
    outcome = conclude("n=4", finished(tmp_path, name, values))
    assert outcome.outcome == "finished"
    assert outcome.course.startswith(said)


def test_a_diverged_run_says_what_to_try(tmp_path):
    RunDirectory(tmp_path).write_failure({"exit_code": EXIT_DIVERGED, "message": "loss is nan"})
    outcome = conclude("n=4", tmp_path)
    assert (outcome.outcome, outcome.message) == ("diverged", "loss is nan")
    assert "Try a third of learning_rate.base" in outcome.course


def test_runs_without_a_result_or_a_score_say_nothing(tmp_path):
    assert conclude("n=4", tmp_path).course == ""
    RunDirectory(tmp_path).write_result({"outcome": "finished", "score": None})
    assert conclude("n=4", tmp_path).course == ""
