"""Which store is meant, and places where MLflow cannot keep one."""

from pathlib import Path

import pytest

from ffn_core.runtime import absolute_uri, default_tracking_uri, sqlite_path, unusable


def test_the_default_store_is_the_environments_or_a_file_here(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert default_tracking_uri() == absolute_uri(None) == f"sqlite:///{Path.cwd()}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://localhost:5000")
    assert default_tracking_uri() == absolute_uri(None) == "http://localhost:5000"


def test_relative_paths_are_made_absolute():
    assert absolute_uri("sqlite:///a/m.db") == f"sqlite:///{Path.cwd()}/a/m.db"
    assert absolute_uri("sqlite:////a/m.db") == "sqlite:////a/m.db"
    assert sqlite_path("sqlite:////a b/50%/m.db") == Path("/a b/50%/m.db")
    assert sqlite_path("https://host/m.db") is None


@pytest.mark.parametrize("folder", ["a%20b", "a?b", 'it\'s "here"'])
def test_a_path_that_mlflow_takes_for_another_is_named_with_the_cure(folder):
    said = unusable(f"sqlite:////{folder}/m.db")
    assert said is not None
    assert f"/{folder}/m.db" in said
    assert "tracking.uri=" in said


@pytest.mark.parametrize("folder", ["a b", "50%", "it's", 'a"b', "ü;#b&c$d=(e),f"])
def test_any_other_path_will_do(folder):
    assert unusable(f"sqlite:////{folder}/m.db") is None
    assert unusable(f"https://host/{folder}?x=%20") is None
