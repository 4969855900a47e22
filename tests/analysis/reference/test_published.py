from pathlib import Path

import pytest

from analysis.reference import published


def test_tables_have_the_sizes_their_description_gives():
    assert published.throughput()["nodes"].tolist() == [2**i for i in range(11)]
    assert len(published.learning_rate_scan()) == 55
    counts = published.training_curve()["metric"].value_counts()
    assert counts.to_dict() == {"accuracy": 58, "f1": 58}
    assert set(published.f1_against_hours()["nodes"]) == {32, 64, 128, 256, 512, 1024}
    assert set(published.batch_size_curves()["x_kind"]) == {"hours", "fovs"}
    assert set(published.evaluation()["metric"]) == {"are", "voi"}


def test_stated_accuracy_of_95_percent_after_about_4_5_hours():
    curve = published.training_curve()
    accuracy = curve[curve["metric"] == "accuracy"].set_index("hours")["mean"]
    assert accuracy.loc[4.0:4.8].max() == pytest.approx(0.95, abs=0.015)


def test_every_table_is_described_beside_it():
    text = (published.REFERENCE / "README.md").read_text()
    assert published.ARXIV in text
    for path in Path(published.REFERENCE).glob("*.csv"):
        assert f"`{path.name}`" in text or "batch_size_*" in text
