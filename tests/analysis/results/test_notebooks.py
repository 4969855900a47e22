"""The notebooks run, and what lies beside them is what their scripts give."""

import re
import subprocess
import sys
from contextlib import nullcontext

import jupytext
import nbformat
import pytest

from analysis.results import notebooks
from analysis.results.notebooks import NOTEBOOKS, every_script, execute, kernel, scripts
from analysis.results.sections import SECTIONS
from ffn_core.files.output_list import LIST

# The kernel writes what it thinks of its transport to stderr, which is not the notebooks'.
STREAMS = ("stderr", "error")


@pytest.fixture(scope="module")
def python():
    with kernel() as manager:
        yield manager


def outputs(notebook):
    return [one for cell in notebook.cells for one in cell.get("outputs", [])]


def test_there_is_a_notebook_for_every_question():
    assert {one.key for one in SECTIONS} == {path.stem for path in scripts()}
    assert {path.stem for path in every_script()} - {path.stem for path in scripts()} == {
        "own_data"
    }


@pytest.mark.parametrize("script", scripts(), ids=lambda path: path.stem)
def test_notebook_runs_from_recorded_data(python, script):
    notebook = execute(script, python)
    found = outputs(notebook)
    assert found
    assert not [one for one in found if one.get("name") in STREAMS or one.output_type in STREAMS]
    texts = [one.data["text/markdown"] for one in found if "text/markdown" in one.get("data", {})]
    assert any("**Supported**" in t or "ndecided**" in t or "**Not" in t for t in texts)


@pytest.mark.parametrize("script", every_script(), ids=lambda path: path.stem)
def test_kept_notebook_has_the_cells_of_its_script_and_its_outputs(script):
    path = script.with_suffix(".ipynb")
    kept = nbformat.read(path, as_version=4)
    written = jupytext.read(script)
    assert [(c.cell_type, c.source) for c in kept.cells] == [
        (c.cell_type, c.source) for c in written.cells
    ]
    shown = re.compile(r"^(figure = | *show\()", re.MULTILINE)
    figures = [c for c in kept.cells if shown.search(c.source)]
    assert figures
    assert all(c.outputs for c in figures)
    assert path.stat().st_size < 300_000


def test_notebook_runs_from_a_store_of_ones_own(store, tmp_path, monkeypatch):
    """A store without the studies of a notebook: it says so; one variable names an experiment."""
    monkeypatch.setenv("FFN_SCALING_STORE", store)
    script = (NOTEBOOKS / "learning_rate_rules.py").read_text()
    mine = tmp_path / "mine.py"
    mine.write_text(script.replace("EXPERIMENT = None", 'EXPERIMENT = "demo_sweep"'))
    with kernel() as own:
        without = str(outputs(execute(NOTEBOOKS / "optimizers.py", own)))
        notebook = execute(mine, own)
    assert (
        "no run recorded; `python -m experiments.train -m experiment=optimizers_tuned`" in without
    )
    assert "**Not run yet**" in without
    text = str(outputs(notebook))
    replaced = "`rules`, `rules_low_base`, `no_warmup`, `rules_again`, `rules_small_again`"
    assert f"`demo_sweep`, in place of {replaced}: 12 of 13 points finished" in text
    assert "sqrt against linear: +0.080" in text
    assert "learning_rate.base=3e-4,1e-3,3e-3" in text  # no scan of rates is there
    assert [one for one in outputs(notebook) if "image/png" in one.get("data", {})]


def test_reading_recorded_runs_imports_no_training_and_no_mlflow():
    code = (
        "import sys; from analysis.results.own_experiment import open_report;"
        "open_report().verdicts; open_report(None, 'data_cost').findings('small_batch_data');"
        "print([m for m in ('tensorflow', 'horovod', 'mlflow', 'hydra') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_command_writes_them_elsewhere(python, tmp_path, monkeypatch, capsys):
    # Another kernel would take as long as all notebooks.
    monkeypatch.setattr(notebooks, "kernel", lambda: nullcontext(python))
    monkeypatch.setattr(notebooks, "scripts", lambda: [NOTEBOOKS / "segmentation.py"])
    assert notebooks.main(["--out", str(tmp_path)]) == 0
    assert "segmentation.ipynb" in capsys.readouterr().out
    assert sorted(p.name for p in tmp_path.iterdir()) == [LIST, "segmentation.ipynb"]
    assert notebooks.main(["--out", str(tmp_path)]) == 2
    assert "segmentation.ipynb is there from before" in capsys.readouterr().err
