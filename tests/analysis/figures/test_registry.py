import io
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
from matplotlib import style
from matplotlib.text import Text
from rich.console import Console

from analysis.figures.__main__ import main
from analysis.figures.cost_to_target import cost_to_target
from analysis.figures.learning_rate import learning_rate, learning_rate_laws
from analysis.figures.registry import COMMAND, FIGURES, METRICS, draw_study
from analysis.figures.scaling_models import models
from analysis.figures.segmentation import evaluation, segmentations
from analysis.figures.step_time import phase_breakdown, stragglers
from analysis.figures.style import GRAY, STYLE, WIDTHS_IN, node_color, styles
from analysis.figures.throughput import efficiency, throughput
from analysis.figures.time_vs_cost import time_against_cost
from analysis.figures.training import (
    noise_scale,
    recipes_against_fovs,
    scores_against_fovs,
    scores_against_time,
    training_curve,
)
from analysis.reference import published
from analysis.runs.mlflow_reader import load_runs
from analysis.runs.study import NothingToDraw, Study
from analysis.runs.summary import summarize
from ffn_core.files.outputs import Outputs
from ffn_core.inference.sample import SegmentedSample


@pytest.fixture(autouse=True)
def _paper_style():
    with style.context(STYLE):
        yield


@pytest.fixture(scope="module")
def study(store):
    return Study("demo_sweep", load_runs(store, "demo_sweep"))


def said(drawing):
    return " ".join(drawing.details)


def line(ax, label):
    return next(one for one in ax.lines if one.get_label() == label)


def test_throughput_shows_real_nodes_and_published_values(study):
    drawing = throughput(study)
    ours, theirs = drawing.figure.axes
    points = line(ours, "weak, 1 FOV per node")
    assert points.get_xdata().tolist() == [1, 2]  # 8 nodes on 2 ranks are emulated
    assert points.get_ydata().tolist() == [10, 20]
    expected = published.throughput()["fovs_per_second"].tolist()
    assert line(theirs, "published").get_ydata().tolist() == expected
    assert "8 on real nodes" in said(drawing)
    assert "baseline 1 node" in said(drawing)
    assert "emulated nodes;" not in said(drawing)


def test_efficiency_holds_ours_and_published_in_the_same_axes(study):
    (ax,) = efficiency(study).figure.axes
    assert line(ax, "weak, 1 FOV per node").get_ydata().tolist() == [1, 1]
    assert len(line(ax, "published").get_xdata()) == 11
    assert line(ax, "published (abstract)").get_ydata() == [0.68]
    assert "baseline 1 node" in ax.get_title(loc="left")


def test_efficiency_has_intervals_over_repeats_and_its_legend_outside(make_runs):
    rates = {1: (9.9, 10.0, 10.1), 2: (8.8, 9.0, 9.2)}
    points = [
        ({"nodes": n, "seed": i}, {"throughput/fovs_per_second": [(1, rate)]})
        for n, several in rates.items()
        for i, rate in enumerate(several)
    ]
    figure = efficiency(Study("study", make_runs(*points))).figure
    (ax,) = figure.axes
    bars = [path.vertices for path in ax.collections[0].get_paths()]
    at_two = next(ends[:, 1] for ends in bars if ends[0, 0] == 2)
    assert at_two.min() < 0.45 < at_two.max()
    assert ax.get_legend() is None  # a point at 0.45 would lie under it
    assert len(figure.legends) == 1


def test_two_node_counts_support_no_scaling_model(study):
    with pytest.raises(NothingToDraw, match=r"three node counts .* on nodes 1, 2"):
        models(study)


def test_models_are_drawn_on_the_published_values_with_ours_beside(make_runs):
    points = [
        ({"nodes": n, "seed": i}, {"throughput/fovs_per_second": [(1, 10.0 * n + 0.01 * i)]})
        for n in (1, 2, 4)
        for i in range(2)
    ]
    drawing = models(Study("study", make_runs(*points)))
    *panels, residuals = drawing.figure.axes
    titles = [ax.get_title(loc="left") for ax in panels]
    assert titles[0] == "ring allreduce: ΔAICc 0"
    assert len(panels) == 6
    expected = published.throughput()["parallel_efficiency"].to_numpy()
    assert line(panels[0], "published").get_ydata() == pytest.approx(expected, abs=3e-4)
    assert line(panels[0], "this study").get_ydata() == pytest.approx([1, 1, 1], abs=1e-3)
    modeled = line(panels[0], "modeled")
    assert modeled.get_xdata() == [2048]
    assert modeled.get_ydata()[0] == pytest.approx(0.637, abs=2e-3)
    assert modeled.get_markerfacecolor() == "white"
    low, high = panels[0].get_ylim()
    assert low < 0.4
    assert high >= 1.08
    errors = line(residuals, "ring allreduce").get_ydata()
    assert len(errors) == 11
    assert np.abs(errors).max() < 6
    assert "0.67 (0.57 to 0.78) at 2048 nodes" in said(drawing)


def test_stragglers_show_shares_of_ranks_that_wait(study):
    drawing = stragglers(study)
    (slowest,) = drawing.figure.axes  # all runs that wait have two ranks
    # Rank 0 is slowest in six of eight records of every run.
    assert line(slowest, "2 ranks").get_ydata() == pytest.approx([1.5, 0.5])
    assert line(slowest, "2 ranks").get_linestyle() == "None", "ranks are categories"
    assert "Records: 64 on 2 ranks" in said(drawing)
    assert ": 5.0 %" in said(drawing)


def test_waits_are_drawn_against_several_rank_counts(make_runs):
    def metrics(wait):
        return {
            "time/straggler_wait_s": [(1, wait)],
            "time/step_s": [(1, 1.0)],
            "time/slowest_rank": [(1, 0.0)],
        }

    points = ({"nodes": 2}, metrics(0.1)), ({"nodes": 4}, metrics(0.2))
    drawing = stragglers(Study("study", make_runs(*points)))
    slowest, waits = drawing.figure.axes
    assert line(waits, "mean over runs").get_ydata() == pytest.approx([10, 20])
    two, four = (line(slowest, f"{n} ranks") for n in (2, 4))
    assert set(two.get_xdata()).isdisjoint(four.get_xdata()), "side by side"


def test_one_rank_waits_for_none(make_runs):
    metrics = {"time/straggler_wait_s": [(1, 0.0)], "time/step_s": [(1, 1.0)]}
    with pytest.raises(NothingToDraw, match="one rank, which does not wait"):
        stragglers(Study("study", make_runs(({}, metrics))))


def test_phases_are_stacked_to_the_step_time_per_fov(study):
    (ax,) = phase_breakdown(study).figure.axes
    tops = {round(bar.get_x() + 0.35): bar.get_y() + bar.get_height() for bar in ax.patches}
    assert tops == pytest.approx({0: 100, 1: 100, 2: 100})  # 10 FOVs/s per rank
    assert [t.get_text() for t in ax.get_xticklabels()] == ["1", "2", "8"]


def test_scores_show_the_mean_of_the_best_recipe_and_mark_emulation(study):
    drawing = scores_against_time(study)
    f1 = drawing.figure.axes[0]
    # sqrt wins at every node count: gains 0.110 and 0.112 for the two seeds.
    assert [one.get_label() for one in f1.lines] == ["1", "2", "8"]
    assert [one.get_color() for one in f1.lines] == [node_color(n) for n in (1, 2, 8)]
    assert f1.lines[0].get_ydata() == pytest.approx(0.111 * np.arange(1, 9))
    assert [one.get_linestyle() for one in f1.lines] == ["-", "-", "--"]
    assert f1.lines[1].get_xdata() == pytest.approx(2.5 * np.arange(1, 9))
    theirs = drawing.figure.axes[2].lines
    assert [one.get_color() for one in theirs] == [
        node_color(n) for n in sorted(published.f1_against_hours()["nodes"].unique())
    ]
    assert "2 on emulated nodes" in said(drawing)
    assert "Recipe at every node count: square root." in said(drawing)
    assert "F1 is `validation/f1`" in said(drawing)


def averaged(gain, seed=0, nodes=2):
    """A run whose averaged weights rise steadily and whose raw ones jump."""
    at = range(1, 9)
    return {"nodes": nodes, "seed": seed}, {
        "averaged/f1": [(50 * i, gain * i) for i in at],
        "averaged/accuracy": [(50 * i, 0.6 + 0.4 * gain * i) for i in at],
        "validation/f1": [(50 * i, 0.9 * (i % 2)) for i in at],
        "time/elapsed_s": [(50 * i, 1.0 * i) for i in at],
        "baseline/f1": [(0, 0.6)],
    }


def test_scores_are_of_averaged_weights_with_the_raw_ones_and_the_baseline_behind(make_runs):
    points = [averaged(0.1, seed, nodes) for nodes in (2, 8) for seed in (1, 2)]
    drawing = scores_against_fovs(Study("study", make_runs(*points)))
    f1, accuracy, two, eight, theirs = drawing.figure.axes
    assert line(f1, "2").get_ydata() == pytest.approx(0.1 * np.arange(1, 9))
    assert line(accuracy, "2").get_ydata()[-1] == pytest.approx(0.92)
    assert [ax.get_title(loc="left") for ax in (two, eight, theirs)] == [
        "2 nodes",
        "8 nodes",
        "published",
    ]
    for ax in (f1, two, eight):
        levels = [one.get_ydata()[0] for one in ax.lines if len(set(one.get_ydata())) == 1]
        assert levels == [0.6], "the trivial baseline"
    raw = [one for one in two.lines if one.get_color() == GRAY and len(one.get_ydata()) == 8]
    assert [one.get_ydata().tolist() for one in raw] == [[0.9, 0, 0.9, 0, 0.9, 0, 0.9, 0]] * 2
    assert raw[0].get_zorder() < line(two, "2").get_zorder()
    marks = [text.get_text() for text in drawing.figure.legends[0].get_texts()]
    assert {"raw weights", "everything object", "seed", "mean over seeds"} <= set(marks)
    assert marks.count("2 nodes") == 1
    assert drawing.caption.startswith("Validation F1 of the averaged weights")
    assert "F1 is `averaged/f1`" in said(drawing)
    assert "Calling every voxel object gives 0.600." in said(drawing)


def test_costs_are_of_averaged_weights_and_of_targets_above_the_baseline(make_runs):
    points = [averaged(0.1, seed, nodes) for nodes in (2, 4, 8) for seed in (1, 2)]
    study = Study("study", make_runs(*points))
    fovs, steps, *_ = cost_to_target(study).figure.axes
    # Single evaluations 50 FOVs apart rise by 0.1: 0.7 is the seventh, 0.5 below the baseline.
    assert line(fovs, "F1 0.7").get_ydata() == pytest.approx([350] * 3)
    assert line(steps, "F1 0.7").get_ydata() == pytest.approx([175, 87.5, 43.75])
    assert not [one for one in fovs.lines if one.get_label() == "F1 0.5"]
    short = [averaged(0.08, 1, nodes) for nodes in (2, 4, 8)]
    with pytest.raises(NothingToDraw, match=r"reached F1 0.7 \(calling .* 0.600\)"):
        cost_to_target(Study("study", make_runs(*short)))


def test_training_curve_takes_two_seeds(make_runs):
    with pytest.raises(NothingToDraw, match="no point has two seeds"):
        training_curve(Study("study", make_runs(averaged(0.1, 1), averaged(0.1, 1, 8))))


def test_training_curve_has_a_thin_line_for_each_repeat(study):
    drawing = training_curve(study)
    f1, _, published_f1, published_accuracy = drawing.figure.axes
    *seeds, mean = f1.lines
    assert mean.get_ydata() == pytest.approx(0.111 * np.arange(1, 9))
    assert sorted(s.get_ydata()[-1] for s in seeds) == pytest.approx([0.11 * 8, 0.112 * 8])
    for ax, metric in ((published_f1, "f1"), (published_accuracy, "accuracy")):
        reference = published.training_curve()
        expected = reference.loc[reference["metric"] == metric, "mean"].tolist()
        assert ax.lines[0].get_ydata().tolist() == expected


def test_recipes_have_one_panel_per_node_count(study):
    figure = recipes_against_fovs(study).figure
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert titles == ["1 node", "2 nodes", "8 nodes"]
    named = [one.get_label() for one in figure.axes[2].lines]
    assert [name for name in named if not name.startswith("_")] == ["linear", "square root"]


def test_two_rates_at_a_node_count_are_no_scan(study):
    for figure in (learning_rate, learning_rate_laws):
        with pytest.raises(NothingToDraw, match="takes 3 learning rates at each of 2 node counts"):
            figure(study)


def scan(counts):
    """Rates a factor 2 apart; the best is 1e-3 times the square root of the nodes."""
    for nodes, step in product(counts, range(-3, 4)):
        rate = 1e-3 * 2.0**step
        score = 0.8 - 0.02 * (step - np.log2(nodes) / 2) ** 2
        columns = {"nodes": nodes, "ranks": 1, "lr_rule": "none", "lr_base": rate, "lr_peak": rate}
        yield columns, {m: [(10, score)] for m in ("validation/f1", "validation/accuracy")}


def test_learning_rates_are_marked_best_and_fitted_only_with_enough_of_them(make_runs):
    drawing = learning_rate(Study("study", make_runs(*scan((1, 4)))))
    ours = drawing.figure.axes[0]
    rings = ours.collections[-1].get_offsets()
    assert rings[:, 0].tolist() == [1, 4]
    assert rings[:, 1].tolist() == pytest.approx([0.001, 0.002])
    assert "no exponent is fitted" in said(drawing)


def test_laws_are_drawn_through_published_best_rates_and_ours(make_runs):
    drawing = learning_rate_laws(Study("study", make_runs(*scan((1, 4, 16)))))
    theirs, ours = drawing.figure.axes
    assert line(theirs, "saturating: 0.0").get_ydata()[-1] == pytest.approx(3.4e-4, rel=0.02)
    assert len(line(theirs, "tried").get_xdata()) == 55
    (root,) = (one for one in ours.lines if str(one.get_label()).startswith("square root: "))
    assert root.get_ydata()[[0, -1]] == pytest.approx([1e-3, 4e-3], rel=1e-2)
    best = [one.get_ydata()[0] for one in ours.lines if one.get_marker() == "o"]
    assert best == pytest.approx([1e-3, 2e-3, 4e-3], rel=1e-2)
    assert "published, at face value: saturating, noise scale 28.7 nodes" in said(drawing)


def test_cost_to_target_drops_as_the_formula_of_the_curve_says(study):
    fovs, steps, *_ = cost_to_target(study).figure.axes
    # F1 reaches 0.5 at index 0.5/gain, gains 0.110 and 0.112.
    expected = np.sqrt(np.prod([50 * 0.5 / gain for gain in (0.110, 0.112)]))
    assert line(fovs, "F1 0.5").get_ydata() == pytest.approx([expected] * 3)
    assert line(steps, "F1 0.5").get_ydata() == pytest.approx(
        [expected, expected / 2, expected / 8], rel=0.02
    )


def test_runs_that_missed_a_target_are_lower_bounds(make_runs):
    curve = {
        "validation/f1": [(10 * i, 0.1 * i) for i in range(7)],
        "time/elapsed_s": [(10 * i, i) for i in range(7)],
    }
    short = {name: values[:5] for name, values in curve.items()}
    points = [({"nodes": n, "ranks": 1}, curve) for n in (1, 4, 8)]
    runs = make_runs(*points, ({"nodes": 16}, short))
    fovs, steps, *_ = cost_to_target(Study("study", runs)).figure.axes
    for ax, had in ((fovs, 40), (steps, 40 / 16)):
        bounds = [one for one in ax.lines if one.get_marker() == "^" and len(one.get_xdata())]
        assert [list(one.get_xdata()) for one in bounds] == [[16]]
        assert bounds[0].get_ydata() == pytest.approx([had])


def test_time_against_cost_keeps_measured_and_modeled_apart(study):
    drawing = time_against_cost(study)
    time, gain, theirs = drawing.figure.axes
    # 10 FOVs/s per rank: on two real nodes half the time of one, for the same node-hours.
    measured = line(gain, "F1 0.5, measured")
    assert measured.get_xdata() == pytest.approx([1, 1])
    assert measured.get_ydata() == pytest.approx([1, 2])
    assert measured.get_linestyle() == "-"
    modeled = line(gain, "F1 0.5, modeled")
    assert modeled.get_linestyle() == "--"
    assert modeled.get_markerfacecolor() == "white"
    assert len(modeled.get_xdata()) == 3
    # Same FOVs on all counts, so cost is one over the modeled efficiency, 0.84 as published.
    assert modeled.get_xdata()[2] == pytest.approx(1 / 0.84, rel=0.06)
    assert len(line(time, "F1 0.5, modeled").get_xdata()) == 3
    assert line(theirs, "F1 0.7").get_marker() == "s"
    assert "Modeled: the FOVs" in said(drawing)


def test_a_front_takes_repeated_runs(make_runs):
    """Three points of one run each, all modeled, are no front."""
    one, two = (
        [
            (columns | {"ranks": 1}, metrics | {"throughput/fovs_per_second": [(400, 10.0)]})
            for columns, metrics in (averaged(0.1, s, n) for n in (2, 4, 8) for s in range(seeds))
        ]
        for seeds in (1, 2)
    )
    with pytest.raises(NothingToDraw, match="3 node counts of which 2 seeds or more"):
        time_against_cost(Study("study", make_runs(*one)))
    assert time_against_cost(Study("study", make_runs(*two))).caption


def test_time_to_target_is_modeled_where_only_one_real_count_has_it(make_runs):
    def curve(rate):
        at = [100, 200, 300, 400]
        return {
            "validation/f1": [(f, 0.2 * i) for i, f in enumerate(at, 1)],
            "throughput/fovs_per_second": [(f, rate) for f in at],
            "time/elapsed_s": [(f, f / rate) for f in at],
        }

    points = [({"nodes": n, "ranks": 1}, curve(10.0)) for n in (1, 4)]
    runs = make_runs(*points, ({"nodes": 8, "ranks": 2}, curve(20.0)))
    drawing = cost_to_target(Study("study", runs))
    time = drawing.figure.axes[2]
    assert time.get_ylabel() == "Modeled time (s)"
    modeled = line(time, "F1 0.5")
    assert modeled.get_linestyle() == "--"
    # Reached after 250 FOVs on 8 nodes of 10 FOVs/s at the published 84 %.
    assert modeled.get_ydata()[-1] == pytest.approx(250 / (80 * 0.84), rel=0.03)
    assert "modeled, for want of two real node counts" in said(drawing)


def test_noise_scale_follows_the_history(study):
    axes = noise_scale(study).figure.axes
    assert [ax.get_title(loc="left") for ax in axes] == ["1 node", "2 nodes", "8 nodes"]
    assert line(axes[0], "1").get_ydata().tolist() == list(range(11, 19))
    batches = [one.get_ydata()[0] for ax in axes for one in ax.lines if one.get_linestyle() == ":"]
    assert batches == [1, 2, 8]


def test_segmentation_errors_are_means_over_seeds_above_the_published_ones(study):
    drawing = evaluation(study)
    are, share, parts, published_are, *_ = drawing.figure.axes
    assert line(are, "8 square root").get_ydata() == pytest.approx(1 - 0.111 * np.arange(1, 9))
    assert line(are, "8 square root").get_linestyle() == "--"
    assert line(share, "1 linear").get_ydata() == pytest.approx(np.arange(1, 9) / 10)
    assert len(parts.lines) == 2 * 6, "a mean over seeds per part and recipe"
    assert parts.lines[0].get_ydata()[0] == pytest.approx(3.75)
    expected = published.evaluation().query("metric == 'are'")["value"].tolist()
    assert published_are.lines[0].get_ydata().tolist() == expected
    assert "a true id and a segment" in said(drawing)


def sample(segmentation: np.ndarray, truth: np.ndarray) -> SegmentedSample:
    return SegmentedSample(segmentation, truth, truth[2] * 40, 2, (0, 0, 0), 9)


def test_segmentations_of_one_seed_are_set_beside_the_truth(make_runs):
    truth = np.zeros((5, 12, 12), np.uint32)
    truth[:, :, :5], truth[:, :, 6:] = 1, 2
    scores = {
        "segmentation/are": [(10, 0.9), (20, 0.5)],
        "segmentation/assigned_are": [(10, 0.3), (20, 0.125)],
        "segmentation/coverage": [(10, 0.2), (20, 0.75)],
    }
    points = [({"nodes": nodes, "seed": seed}, scores) for seed in (2, 1) for nodes in (64, 4, 16)]
    runs = make_runs(*points)
    with pytest.raises(NothingToDraw, match="segment_checkpoints"):
        segmentations(Study("study", runs))
    ids = dict(
        zip(
            zip(runs.table["nodes"], runs.table["seed"], strict=True),
            runs.table["run_id"],
            strict=True,
        )
    )
    merged, elsewhere = np.ones_like(truth), np.roll(truth, 3, axis=2)
    samples = {
        ids[64, 1]: sample(merged, truth),
        ids[4, 1]: sample(7 * truth, truth),
        ids[16, 1]: sample(elsewhere, elsewhere),
        ids[4, 2]: sample(truth, truth),
    }
    drawing = segmentations(Study("study", replace(runs, samples=samples)))
    titles = [ax.get_title() for ax in drawing.figure.axes if ax.get_title()]
    assert titles == ["image", "truth", "4 nodes", "64 nodes"], "the same voxels only"
    _, flat, few, many = (ax.images[0].get_array() for ax in drawing.figure.axes if ax.images)
    assert np.array_equal(few, flat), "matching segments have the color of their object"
    assert not np.array_equal(many, flat)
    assert "4 nodes 0.125 over 75%; 64 nodes 0.125 over 75%" in said(drawing)
    assert "seed 1" in said(drawing)


def test_a_run_that_failed_before_its_parameters_does_not_blur_the_counts(make_runs, tmp_path):
    curve = {"validation/f1": [(10, 0.5), (20, 0.9)], "time/elapsed_s": [(10, 1), (20, 2)]}
    lost = {"nodes": None, "ranks": None, "seed": None, "status": "FAILED", "emulated": False}
    runs = make_runs(({"nodes": 1}, curve), ({"nodes": 2}, curve), (lost, {}))
    study = Study("study", runs)
    assert "nodes 1, 2; seeds 0" in said(scores_against_time(study))
    console = Console(file=io.StringIO())
    draw_study(runs, "study", tmp_path, console)
    assert " 2 " in console.file.getvalue()
    assert "2.0" not in console.file.getvalue().splitlines()[4]


def test_a_study_none_of_whose_runs_has_finished_yet(make_runs, tmp_path):
    curve = {"validation/f1": [(10, 0.5), (20, 0.9)]}
    runs = make_runs(({"status": "RUNNING"}, curve), ({"status": "RUNNING", "nodes": 4}, curve))
    assert draw_study(runs, "study", tmp_path, Console(file=io.StringIO())) == []


@pytest.mark.parametrize("name", FIGURES)
def test_runs_without_anything_to_show_give_a_reason(make_runs, name):
    runs = make_runs(({"status": "FAILED"}, {}), ({"nodes": 4, "ranks": 2}, {}))
    with pytest.raises(NothingToDraw, match=r"\w{2,}"):
        FIGURES[name](Study("study", runs))


def test_scaling_runs_without_validation_give_figures_of_time_alone(make_runs, tmp_path):
    metrics = {"throughput/fovs_per_second": [(1, 10.0)], "time/step_s": [(1, 0.1)]}
    runs = make_runs(({"nodes": 1}, metrics), ({"nodes": 2}, metrics))
    drawn = draw_study(runs, "study", tmp_path, Console(file=io.StringIO()))
    assert drawn == ["throughput", "parallel_efficiency", "phase_breakdown"]


def test_command_writes_figures_captions_and_summary(store, tmp_path, capsys):
    """Without --experiment every experiment with points gets its own directory."""
    assert main(["--out", str(tmp_path), "--store", store]) == 0
    printed = capsys.readouterr().out
    assert "demo_sweep: 13 points" in printed
    first = printed[: printed.index("single: 1 point")].splitlines()
    missing = [one.split(": ")[1] for one in first if one.startswith("not drawn")]
    assert missing == ["models", "learning_rate", "learning_rate_laws", "growing_batch"]
    assert (
        "Not drawn: every run has the same recipe"
        in (tmp_path / "single" / "captions.md").read_text()
    )
    tmp_path = tmp_path / "demo_sweep"
    for name in FIGURES.keys() - set(missing):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert b"</svg>" in (tmp_path / f"{name}.svg").read_bytes()
        assert (tmp_path / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    assert not (tmp_path / "learning_rate_laws.csv").exists()
    captions = (tmp_path / "captions.md").read_text()
    assert "Points recorded: 13, finished: 12;" in captions
    assert "left out of every figure: 1 FAILED" in captions
    summary = pd.read_csv(tmp_path / "summary.csv", keep_default_na=False)
    assert len(summary) == 13
    row = summary[summary["name"] == "n=8 sqrt s1"].iloc[0]
    assert float(row["final_f1"]) == pytest.approx(0.112 * 7)
    assert (row["warmup"], row["lr_rule"]) == ("none", "sqrt")


def test_a_scan_of_rates_gives_tables_of_its_laws(make_runs, tmp_path):
    console = Console(file=io.StringIO(), width=200)
    draw_study(make_runs(*scan((1, 4, 16))), "study", tmp_path, console)
    laws = pd.read_csv(tmp_path / "learning_rate_laws.csv")
    assert laws.groupby("source")["law"].count().tolist() == [5, 5, 5]
    printed = console.file.getvalue()
    assert "learning-rate law of lowest AICc, published, at face value: saturating" in printed


def overlaps(boxes):
    return [
        (a, b)
        for i, (a, one) in enumerate(boxes)
        for b, other in boxes[i + 1 :]
        if one.overlaps(other)
    ]


def titles_of(ax):
    named = {ax.get_title(loc="left"), ax.get_title()} - {""}
    return [t for t in ax.get_children() if isinstance(t, Text) and t.get_text() in named]


def tick_labels(axis):
    low, high = sorted(axis.get_view_interval())
    return [
        (tick.label1.get_text(), tick.label1.get_window_extent().shrunk(0.98, 0.98))
        for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]
        if low <= tick.get_loc() <= high and tick.label1.get_visible() and tick.label1.get_text()
    ]


@pytest.mark.parametrize("width", WIDTHS_IN)
@pytest.mark.parametrize("name", FIGURES)
def test_captions_are_short_and_nothing_collides_at_either_width(name, width, study, make_runs):
    chosen = study
    if name in ("learning_rate", "learning_rate_laws"):
        chosen = Study("study", make_runs(*scan((1, 4, 16))))
    with style.context(styles(width)):
        try:
            drawing = FIGURES[name](chosen)
        except NothingToDraw:
            pytest.skip("not of this study")
        figure = drawing.figure
        figure.draw_without_rendering()
    assert drawing.caption.count(". ") <= 1, "two sentences"
    assert len(drawing.caption.split()) <= 60
    assert not any("run0000" in part or "`" in part for part in [drawing.caption])
    assert figure.get_figwidth() <= WIDTHS_IN[width]
    titles = []
    for ax in figure.axes:
        if hasattr(ax, "zaxis"):
            continue
        titles += [(t.get_text(), t.get_window_extent()) for t in titles_of(ax)]
        for axis in (ax.xaxis, ax.yaxis):
            assert not overlaps(tick_labels(axis)), (ax.get_title(loc="left"), axis.axis_name)
    assert not overlaps(titles)
    assert all(box.x1 <= figure.bbox.x1 for _, box in titles), titles
    for legend in figure.legends:
        box = legend.get_window_extent()
        assert figure.bbox.x0 <= box.x0
        assert box.x1 <= figure.bbox.x1
        assert not [ax for ax in figure.axes if ax.get_window_extent().overlaps(box)]


def test_a_figure_no_longer_supported_is_removed(make_runs, tmp_path):
    outputs = Outputs(COMMAND, overwrite=True)
    with outputs.place(tmp_path / "throughput.png") as path:
        path.write_bytes(b"of an earlier call")
    (tmp_path / "models.png").write_bytes(b"of somebody else")
    console = Console(file=io.StringIO())
    runs = make_runs(({}, {"train/f1": [(1, 0.5)]}))
    assert draw_study(runs, "study", tmp_path, console, outputs) == []
    assert not (tmp_path / "throughput.png").exists()
    assert (tmp_path / "models.png").exists()
    assert "## throughput\n\nNot drawn:" in (tmp_path / "captions.md").read_text()
    assert "not drawn: throughput:" in console.file.getvalue()


def test_out_must_not_be_a_file(store, tmp_path, capsys):
    path = tmp_path / "figures"
    path.write_text("")
    assert main(["--out", str(path), "--store", store]) == 2
    assert capsys.readouterr().err == f"error: --out {path} is a file: name a directory\n"


def test_missing_store_ends_with_one_line_and_code_2(tmp_path, capsys):
    store = f"sqlite:///{tmp_path}/none.db"
    assert main(["--out", str(tmp_path / "figures"), "--store", store]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: no MLflow store at")
    assert said.count("\n") == 1
    assert not (tmp_path / "figures").exists()


def test_the_metrics_that_are_read_give_the_whole_summary(make_runs):
    curve = [(1000 * i, 0.1 * i) for i in range(1, 9)]
    metrics = {"averaged/f1": curve, "validation/f1": curve, "train/loss": curve}
    metrics |= {"baseline/f1": [(1000, 0.3)], "score/final": [(8000, 0.65)]}
    runs = make_runs(({}, metrics))
    read = replace(runs, history=runs.history[runs.history["metric"].isin(METRICS)])
    assert len(read.history) < len(runs.history)
    summary = summarize(runs)
    pd.testing.assert_frame_equal(summarize(read), summary)
    assert summary[["baseline_f1", "final_score"]].to_numpy().tolist() == [[0.3, 0.65]]
