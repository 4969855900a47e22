"""The notebooks over an experiment of any name: known answers, and what is asked for elsewhere.

The store's `demo_sweep` has 6 points of each rule: linear scaling ends at F1 0.8 (seed 0) and 0.816
(seed 1), square-root scaling at 0.88 and 0.896, on 1, 2 and 8 nodes alike; 8 nodes are emulated.
"""

import pytest

from analysis.results import notebooks, own_experiment
from analysis.results.findings import Findings
from analysis.results.notebooks import every_script
from analysis.results.own_experiment import EXPERIMENT_VARIABLE, open_report, own_store
from analysis.results.own_topics import OF_CLAIM, OF_FIGURE
from analysis.results.sections import SECTIONS
from analysis.results.shown import Missing, Picture
from analysis.runs.sources import RECORDED, STORE_VARIABLE
from ffn_core.errors import InputError


@pytest.fixture(scope="module")
def demo(store):
    return open_report(store, "demo_sweep")


@pytest.fixture(scope="module")
def single(store):
    """An experiment of one run."""
    return open_report(store, "single")


def test_every_question_of_the_notebooks_has_an_answer_for_any_experiment():
    assert {claim for section in SECTIONS for claim in section.claims} <= set(OF_CLAIM)
    assert {name for section in SECTIONS for name, _ in section.figures} <= set(OF_FIGURE)


def test_the_runs_shown_stand_in_place_of_the_studies(demo):
    lines = demo.runs_shown("rules", "no_warmup").markdown.splitlines()
    assert lines[:2] == [
        "- `demo_sweep`, in place of `rules`, `no_warmup`: 12 of 13 points finished, "
        "4 of them on emulated nodes",
        "- varied: nodes 1, 2, 8; learning-rate rule linear, sqrt; seed 0, 1, 2",
    ]


def test_effects_are_those_of_the_experiment(demo):
    said = demo.findings("linear_small", "sqrt_large").markdown
    assert said.count("learning-rate rule sqrt against linear: +0.080") == 1
    assert "| learning-rate rule | sqrt | linear | +0.080 |" in demo.evidence("crossover").markdown


def test_costs_are_those_of_the_experiment(demo):
    """F1 0.88 after 400 FOVs of seed 0, and 0.096 / 0.112 of the way from 350 to 400 of seed 1."""
    assert "Cheapest: 1 node" in demo.findings("small_batch_data").markdown
    table = demo.evidence("small_batch_data").markdown
    assert [row for row in table.splitlines() if row.startswith("| 8 |")] == ["| 8 | 2 | 2 | 396 |"]


def test_throughput_is_that_of_real_nodes(demo):
    assert "2 real nodes: 20 FOVs/s" in demo.findings("efficiency_1024").markdown
    assert "8" not in [row[2:3] for row in demo.evidence("efficiency_1024").markdown.splitlines()]


def test_segmentation_is_that_of_the_last_checkpoint(demo):
    """The error falls by the gain eight times: 0.2, 0.184, 0.12 and 0.104 remain."""
    assert "| 8 | 0.152 |" in demo.evidence("segmentation_improves").markdown


def test_a_figure_is_of_the_experiment(demo):
    figure = demo.figure("final_scores")
    assert isinstance(figure, Picture)
    assert "12 points of demo_sweep" in figure.details.markdown


@pytest.mark.parametrize(
    ("claim", "option"),
    [
        ("linear_small", "learning_rate.rule=linear,sqrt"),
        ("warmup_sqrt", "warmup=none,tenth"),
        ("rate_growth", "learning_rate.base=3e-4,1e-3,3e-3"),
        ("adam_best", "'sweep.pair={optimizer.name:adam,"),
        ("large_batch_time", "cluster.nodes=2,8,32"),
        ("efficiency_2048", "'cluster.ranks=${cluster.nodes}'"),
    ],
)
def test_what_one_run_cannot_tell_is_asked_for_with_its_command(single, claim, option):
    said = single.findings(claim).markdown
    assert "`single` does not answer this" in said
    command = said.partition("```bash\n")[2].partition("\n")[0]
    start = "python -m experiments.train -m tracking.experiment=single budget.fovs=400 "
    assert command.startswith(start)
    assert option in command
    assert "Add the other options of your runs" in said


def test_segmenting_is_asked_for_with_the_folder_of_a_run(single):
    said = single.findings("segmentation_improves").markdown
    assert "python -m experiments.segment_checkpoints checkpoint=/runs/alone" in said


def test_a_preset_is_continued_as_such(demo):
    assert " -m experiment=demo_sweep cluster.nodes=2,32 " in demo.findings("adam_best").markdown


@pytest.mark.parametrize("name", ["rule_differences", "learning_rate", "prediction", "evaluation"])
def test_a_figure_without_runs_says_why_and_what_it_needs(single, name):
    figure = single.figure(name)
    assert isinstance(figure, Missing)
    assert f"No figure `{name}`" in figure.caption.markdown
    assert "It needs " in figure.caption.markdown
    assert "no_warmup" not in figure.caption.markdown


def test_runs_of_several_kinds_are_not_mixed_in_one_figure(demo):
    figure = demo.figure("optimizers")
    assert "it would mix runs that differ in learning-rate rule" in figure.caption.markdown


def test_the_variable_of_the_environment_names_the_experiment(store, monkeypatch):
    monkeypatch.setenv(STORE_VARIABLE, store)
    assert isinstance(open_report(), Findings)
    monkeypatch.setenv(EXPERIMENT_VARIABLE, "single")
    assert open_report().own.name == "single"
    assert open_report(None, "demo_sweep").own.name == "demo_sweep"


def test_a_recorded_study_is_an_experiment_too():
    recorded = open_report(str(RECORDED), "strong_scaling").own.runs.table
    assert set(recorded["nodes"]) == {1, 2}
    with pytest.raises(
        InputError, match=r"no experiment .mine. in .*there are: bfloat16, data_cost"
    ):
        open_report(str(RECORDED), "mine")


def test_the_store_of_an_experiment(tmp_path, monkeypatch):
    for variable in (STORE_VARIABLE, "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(variable, raising=False)
    (tmp_path / "checkout").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(own_experiment, "REPOSITORY", tmp_path / "checkout")
    assert own_store() == str(RECORDED)
    (tmp_path / "checkout" / "mlflow.db").touch()
    assert own_store() == f"sqlite:///{tmp_path}/checkout/mlflow.db"
    (tmp_path / "mlflow.db").touch()
    assert own_store() == f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking:5000")
    assert own_store() == "http://tracking:5000"
    monkeypatch.setenv(STORE_VARIABLE, "recorded")
    assert own_store() == "recorded"


def test_every_notebook_of_the_results_has_the_variable():
    for script in every_script():
        if script.stem != "own_data":
            assert "EXPERIMENT = None" in script.read_text()


def test_a_wrong_name_is_one_line(store, monkeypatch, capsys):
    for variable in (STORE_VARIABLE, EXPERIMENT_VARIABLE):
        monkeypatch.setenv(variable, "")  # the command sets them for its notebooks
    assert notebooks.main(["--store", store, "--experiment", "min"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: no experiment 'min' in ")
    assert error.count("\n") == 1
    assert notebooks.main(["--store", store, "--experiment", "single", "scalling"]) == 2
    assert "no notebook 'scalling'; there are: batch_size, " in capsys.readouterr().err
