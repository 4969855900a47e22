"""The table of a sweep that has ended, its best run, and the commands that come next."""

from pathlib import Path

import pytest

from experiments.sweep.ending import MOST_ROWS, best_line, best_point, next_commands, results_table
from experiments.sweep.parent import PointResult
from ffn_core import metric_names as names

HERE = Path("/work")


def point(nodes, best=None, outcome="finished", **params):
    shown = {names.SHOWN_OUTCOME: outcome, names.SHOWN_MACHINE: "emulated"}
    score = None
    if best is not None:
        shown[names.SHOWN_FINAL] = f"{best - 0.1:.3f}"
        score = {"name": names.AVERAGED_F1, "evaluations": 4, names.SCORE_FINAL: best - 0.1}
        score |= {names.SCORE_BEST: best, names.SCORE_BEST_FOVS: 40.0}
    params = {names.NODES: nodes} | params
    run_dir = HERE / "runs" / f"n{nodes}"
    return PointResult(f"n={nodes}", params, outcome, score, 0, shown, 0.0, run_dir)


POINTS = [point(1, 0.62), point(4, outcome="failed"), point(8, 0.83), point(64, 0.57)]


def test_the_table_is_best_first_and_gives_reasons():
    title, columns, rows = results_table(POINTS, {HERE / "runs" / "n4": "a rank was killed"})
    assert title == "4 points: 3 finished, 1 failed"
    assert columns == ["point", names.SHOWN_FINAL, names.SHOWN_OUTCOME, "reason"]
    assert rows == [
        ["n=8", "0.730", "finished", ""],
        ["n=1", "0.520", "finished", ""],
        ["n=64", "0.470", "finished", ""],
        ["n=4", "-", "failed", "a rank was killed"],
    ]


def test_of_many_points_the_best_are_shown():
    title, _, rows = results_table([point(n, 0.5) for n in range(1, 50)], {})
    assert len(rows) == MOST_ROWS
    assert title == "49 points: 49 finished; the best 30, all are in points.csv"


def test_the_best_point():
    best = best_point(POINTS)
    assert best_line(best) == (
        "best: n=8 (averaged/f1 0.730, mean of the last 4; best 0.830 at 40 FOVs)"
    )
    assert best_point([point(4, outcome="failed")]) is None


def test_what_to_do_next():
    segment, predict = next_commands(POINTS, "my study", HERE)
    assert segment == "python -m experiments.segment checkpoint=runs/n8"
    assert predict == (
        "python -m analysis.predict --f1 0.55 --hours 4 --experiment 'my study' "
        "--throughput published"
    )
    assert next_commands(POINTS, "s", HERE, "http://host")[1].endswith("--store http://host")


def test_volumes_of_their_own_are_held_out_too():
    params = {"validation.fraction": "0", "validation.synthetic_seeds": "[1001]"}
    first, *_ = next_commands([point(8, 0.7, **params)], "s", HERE)
    assert first == "python -m experiments.segment checkpoint=runs/n8"


@pytest.mark.parametrize("params", [{"data.kind": "dummy"}, {"validation.fraction": 0.0}])
def test_nothing_is_suggested_that_cannot_work(params):
    assert next_commands([point(1, 0.62, **params), point(4, 0.7, **params)], "s", HERE) == []
    assert next_commands([point(4, outcome="failed")], "s", HERE) == []
