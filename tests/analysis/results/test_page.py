"""The results page and the figures it draws, from constructed studies."""

import io
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
from matplotlib import style
from matplotlib.figure import Figure
from PIL import Image

from analysis.claims.judge import judge
from analysis.figures.style import STYLE
from analysis.results import score_figures
from analysis.results.__main__ import main
from analysis.results.findings import Findings
from analysis.results.page import leanings
from analysis.results.shown import Missing, Picture, png, without_ids
from analysis.text import cell, markdown_table
from analysis.verdicts.verdict import ALONE, UNDECIDED
from ffn_core.files.outputs import Outputs


@pytest.fixture
def studies(make_runs):
    points: dict[str, list] = {"rules": [], "no_warmup": []}
    for seed, nodes, rule, warm in product((1, 2), (1, 4, 64), ("linear", "sqrt"), (True, False)):
        score = 0.8 - 0.01 * seed if (rule, nodes) != ("linear", 64) else 0.2
        if (rule, nodes, warm, seed) == ("sqrt", 64, False, 2):
            score = 0.01
        study = "rules" if warm else "no_warmup"
        columns = {
            "experiment": study,
            "nodes": nodes,
            "ranks": 1,
            "seed": seed,
            "lr_rule": rule,
            "warmup": "0.1 fraction" if warm else "none",
        }
        values = [(1000 * i, score) for i in range(1, 7)]
        metrics = {"averaged/f1": values, "noise_scale/simple": [(6000, 30.0)]}
        points[study].append((columns, metrics))
    return {name: make_runs(*rows) for name, rows in points.items()}


@pytest.fixture(autouse=True)
def _paper_style():
    with style.context(STYLE):
        yield


def line(ax, label):
    return next(one for one in ax.lines if one.get_label() == label)


def test_scores_are_means_over_seeds(studies):
    axes = with_warmup, _ = score_figures.final_scores(studies).figure.axes
    assert [ax.get_title("left") for ax in axes] == ["with warm-up", "without warm-up"]
    assert line(with_warmup, "linear").get_ydata() == pytest.approx([0.785, 0.785, 0.2])
    assert line(with_warmup, "square root").get_ydata() == pytest.approx([0.785] * 3)
    assert not with_warmup.texts


def test_dead_runs_are_counted_and_in_no_mean(studies):
    _, without = score_figures.final_scores(studies).figure.axes
    assert line(without, "square root").get_ydata() == pytest.approx([0.785, 0.785, 0.79])
    assert [text.get_text() for text in without.texts] == ["0/2", "0/2", "1/2"]
    assert without.get_ylim()[0] > 0.01
    warmup = score_figures.rule_differences(studies).figure.axes[1]
    assert [bars.lines[0].get_xdata().size for bars in warmup.containers] == [3, 3]


def test_rates_that_kill_are_counted_at_their_rate(make_runs):
    points = []
    for rate, score in ((1e-3, 0.7), (2e-3, 0.8), (4e-3, 0.0)):
        columns = {"experiment": "tune_rates", "nodes": 4, "seed": 101, "lr_peak": rate}
        columns |= {"lr_base": rate, "lr_rule": "none"}
        values = [(1000 * i, score) for i in range(1, 6)]
        points.append((columns, {"averaged/f1": values, "baseline/f1": [(0, 0.65)]}))
    (ax,) = score_figures.rate_scores({"tune_rates": make_runs(*points)}).figure.axes
    assert line(ax, "mean of the seeds").get_xydata() == pytest.approx(
        np.array([[1e-3, 0.7], [2e-3, 0.8]])
    )
    assert [(text.get_position()[0], text.get_text()) for text in ax.texts] == [(4e-3, "1/1")]


def test_optimizers_stand_side_by_side_each_time_they_were_asked(make_runs):
    def study(name, scores, seed=1):
        points = []
        for optimizer, score in scores.items():
            columns = {"experiment": name, "nodes": 64, "seed": seed, "optimizer": optimizer}
            points.append((columns, {"averaged/f1": [(1000 * i, score) for i in range(1, 6)]}))
        return {name: make_runs(*points)}

    first = study("optimizers_tuned", {"adam": 0.7, "adagrad": 0.0, "lamb": 0.5})
    (ax,) = score_figures.optimizer_scores(first).figure.axes
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["adam", "lamb", "adagrad"]
    assert [(text.get_position()[0], text.get_text()) for text in ax.texts] == [(2, "1/1")]
    again = study("optimizers_again", {"adam": 0.7, "adagrad": 0.9, "lamb": 0.5}, seed=31)
    drawing = score_figures.optimizer_scores(first | again)
    panels = drawing.figure.axes
    assert [ax.get_title("left") for ax in panels] == ["64 nodes", "64 nodes, asked again"]
    names = [tick.get_text() for tick in panels[1].get_xticklabels()]
    assert names == ["adagrad", "adam", "lamb"]
    assert not panels[1].texts
    assert "fresh seeds" in " ".join(drawing.details)


def test_differences_show_intervals_the_crossover_and_the_noise_scale(studies):
    rules, warmup = score_figures.rule_differences(studies).figure.axes
    (bars,) = rules.containers
    assert bars.lines[0].get_xdata().tolist() == [4, 64]
    assert bars.lines[0].get_ydata() == pytest.approx([0, -0.585])
    assert line(rules, "noise scale").get_xdata() == pytest.approx([30, 30])
    assert len(warmup.containers) == 2
    # The mean over seeds is 0 at 4 nodes, which counts as not behind, and below at 64.
    assert line(rules, "crossover").get_xdata() == pytest.approx([4])


def test_figures_without_runs_say_why(studies):
    report = Findings("nowhere", studies)
    missing = report.figure("optimizers")
    assert isinstance(missing, Missing)
    assert "fewer than two optimizers" in missing.caption.markdown
    assert "no run of `tune_rates`" in report.figure("learning_rate", "tune_rates").caption.markdown
    assert isinstance(report.figure("final_scores"), Picture)


def test_png_is_small_true_and_repeatable():
    def draw():
        figure = Figure(figsize=(2, 1))
        figure.subplots().plot([0, 1], color="#0072B2")
        return png(figure, dpi=100)

    first = draw()
    assert first == draw()
    image = np.asarray(Image.open(io.BytesIO(first)).convert("RGB"))
    assert image.shape == (100, 200, 3)
    assert (abs(image.astype(int) - (0x00, 0x72, 0xB2)).max(axis=-1) <= 8).any()


def test_tables_and_captions_in_markdown():
    values = (0.12345, 3.0, 12345.6, np.nan, None, True, np.bool_(False), "a|b")
    assert " ".join(map(cell, values)) == "0.123 3 12346 - - yes no a\\|b"
    assert markdown_table(pd.DataFrame({"n_fovs": [1], "name": ["x"]})).splitlines() == [
        "| n fovs | name |",
        "|---:|---|",
        "| 1 | x |",
    ]
    caption = "Runs: 2 points of `a` (nodes 1; seeds 1): `0a1b2c3d`, `11112222`. Next."
    assert without_ids(caption) == "Runs: 2 points of `a` (nodes 1; seeds 1). Next."
    many = caption.replace("`. Next", "` and 9 more (in `summary.csv`). Next")
    assert without_ids(many) == without_ids(caption)


def test_what_only_the_number_of_claims_leaves_undecided_is_named():
    verdicts = {one.key: one for one in judge({})}
    assert leanings(verdicts) == []
    alone = replace(verdicts["linear_dies"], verdict=UNDECIDED, needs=f"refuted {ALONE}")
    said, lines = leanings(verdicts | {"linear_dies": alone})
    assert said.startswith("Some claims would be decided if")
    assert lines.startswith("- Refuted by itself, -: At 64 nodes linear scaling dies where")
    assert "\n" not in lines
    later = replace(verdicts["linear_dies_again"], verdict=UNDECIDED)
    assert leanings(verdicts | {"linear_dies": alone, later.key: later}) == []


def test_command_writes_page_figures_and_verdicts(studies, tmp_path, capsys):
    for name, runs in studies.items():
        runs.to_parquet(tmp_path / "recorded" / name)
    (tmp_path / "recorded" / "rules" / "note.md").write_text("Seeds 4 and 5\ncame later.\n")
    figures = tmp_path / "recorded" / "figures"
    figures.mkdir()
    with Outputs("analysis.results").place(figures / "stale.png") as path:
        path.write_bytes(b"of an earlier study")
    (figures / "mine.png").write_bytes(b"of the user")
    options = {
        "--store": tmp_path / "recorded",
        "--page": tmp_path / "RESULTS.md",
        "--figures": figures,
        "--verdicts": tmp_path / "verdicts.csv",
    }
    argv = [str(part) for pair in options.items() for part in pair]
    assert main([*argv, "--overwrite"]) == 0
    page = (tmp_path / "RESULTS.md").read_text()
    linked = [part.split(")")[0] for part in page.split("](recorded/figures/")[1:]]
    assert sorted(linked) == sorted(p.name for p in figures.glob("*.png") if p.name != "mine.png")
    assert (figures / "mine.png").read_bytes() == b"of the user"
    assert "| `rules` | 12 |" in page
    assert "- `rules`: Seeds 4 and 5 came later." in page
    assert "**emulated**" in page
    assert "**modeled**" in page
    assert (
        page.index("## Findings")
        < page.index("- **Not run yet**: Small batches")
        < page.index("## Verdicts")
    )
    assert "<details><summary>The plan, written before the runs" in page
    assert "| **not run yet** |" in page
    assert "nan" not in page.lower().replace("finance", "")
    assert (tmp_path / "verdicts.csv").read_text().count("\n") == 1 + len(judge({}))
    assert main(["--store", str(tmp_path / "none")]) == 2
    assert "error: no recorded study in" in capsys.readouterr().err
