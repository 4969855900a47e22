"""The results page and the figures it draws, from constructed studies."""

import io
from itertools import product

import numpy as np
import pandas as pd
import pytest
from matplotlib import style
from matplotlib.figure import Figure
from PIL import Image

from analysis.claims.judge import judge
from analysis.figures.style import STYLE
from analysis.results import overview_figures
from analysis.results.__main__ import main
from analysis.results.findings import Findings
from analysis.results.shown import Missing, Picture, png, without_ids
from analysis.text import cell, markdown_table
from ffn_core.files.outputs import Outputs


@pytest.fixture
def studies(make_runs):
    points = []
    for seed, nodes, rule, warm in product((1, 2), (1, 4, 64), ("linear", "sqrt"), (True, False)):
        score = 0.8 - 0.01 * seed if (rule, nodes) != ("linear", 64) else 0.2
        columns = {
            "experiment": "lr_rules",
            "nodes": nodes,
            "ranks": 1,
            "seed": seed,
            "lr_rule": rule,
            "warmup": "0.1 fraction" if warm else "none",
        }
        values = [(1000 * i, score) for i in range(1, 7)]
        points.append((columns, {"validation/f1": values, "noise_scale/simple": [(6000, 30.0)]}))
    return {"lr_rules": make_runs(*points)}


@pytest.fixture(autouse=True)
def _paper_style():
    with style.context(STYLE):
        yield


def line(ax, label):
    return next(one for one in ax.lines if one.get_label() == label)


def test_scores_are_means_over_seeds(studies):
    with_warmup, without = overview_figures.final_scores(studies).figure.axes
    for ax in (with_warmup, without):
        assert line(ax, "linear").get_ydata() == pytest.approx([0.785, 0.785, 0.2])
        assert line(ax, "square root").get_ydata() == pytest.approx([0.785] * 3)


def test_differences_show_intervals_the_crossover_and_the_noise_scale(studies):
    rules, warmup = overview_figures.rule_differences(studies).figure.axes
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
    assert "no run of `lr_scan`" in report.figure("learning_rate", "lr_scan").caption.markdown
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


def test_command_writes_page_figures_and_verdicts(studies, tmp_path, capsys):
    studies["lr_rules"].to_parquet(tmp_path / "recorded" / "lr_rules")
    (tmp_path / "recorded" / "lr_rules" / "note.md").write_text("Seeds 4 and 5\ncame later.\n")
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
    assert "| `lr_rules` | 24 |" in page
    assert "- `lr_rules`: Seeds 4 and 5 came later." in page
    assert "**emulated**" in page
    assert "**modeled**" in page
    assert (
        page.index("## Findings")
        < page.index("- **Not run yet**: Linear scaling")
        < page.index("## Verdicts")
    )
    assert "<details><summary>The plan, written before the runs" in page
    assert "| **not run yet** |" in page
    assert "nan" not in page.lower().replace("finance", "")
    assert (tmp_path / "verdicts.csv").read_text().count("\n") == 1 + len(judge({}))
    assert main(["--store", str(tmp_path / "none")]) == 2
    assert "error: no recorded study in" in capsys.readouterr().err
