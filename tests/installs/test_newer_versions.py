"""Every upper bound has a trial that finds it in pyproject.toml."""

import re
import tomllib
from pathlib import Path

import pytest
from newer_versions import TRIALS, Trial, reason, without_bound

PROJECT = (Path(__file__).parents[2] / "pyproject.toml").read_text()


@pytest.mark.parametrize("name", TRIALS)
def test_a_trial_changes_what_it_is_about_and_leaves_a_project(name):
    changed = without_bound(PROJECT, TRIALS[name])
    assert changed != PROJECT
    assert tomllib.loads(changed)["project"]["name"] == "ffn-scaling"


def test_both_kinds_of_tensorflow_and_the_build_move_together():
    changed = without_bound(PROJECT, TRIALS["tensorflow"])
    assert len(re.findall(r"tensorflow\S*>2\.18\.1", changed)) == 5
    assert "==2.18" not in changed


def test_every_upper_bound_has_a_trial():
    """Of what is installed and of what Horovod is compiled with."""
    values = tomllib.loads(PROJECT)
    project = values["project"]
    texts = [*project["dependencies"], *project["optional-dependencies"]["cpu"]]
    texts += values["tool"]["uv"]["extra-build-dependencies"]["horovod"]
    texts.append(project["requires-python"])
    bounded = [text for text in texts if re.search(r"<|==\d", text.partition(";")[0])]
    tried = [t for t in bounded if any(re.search(trial.pattern, t) for trial in TRIALS.values())]
    # There is no newer Horovod to try.
    assert [text for text in bounded if text not in tried] == ["horovod==0.28.1"]


def test_a_bound_that_is_gone_is_said():
    with pytest.raises(ValueError, match="nothing like numpy<3"):
        without_bound(PROJECT, Trial("numpy<3", "numpy", ()))


def test_of_a_long_output_the_line_that_says_most_is_reported():
    output = "building\na.h:3:10: fatal error: absl/log.h: No such file\nmake: *** [x] Error 1\n"
    assert reason(output) == "a.h:3:10: fatal error: absl/log.h: No such file"
    assert reason("\n") == "no output"
    assert reason("one\ntwo\n") == "one"


def test_a_compiler_says_more_than_what_called_it():
    cmake = "CMake Error at CMakeLists.txt:1 (cmake_minimum_required):\n  CMake < 3.5 is gone\n"
    called = "error: Failed to build `horovod`\n"
    assert reason(called + cmake).endswith("(cmake_minimum_required): CMake < 3.5 is gone")
    assert reason(called + "a.h:3:47: error: no std::string\n") == "a.h:3:47: error: no std::string"
    assert reason(called + "setup.py failed\n") == "error: Failed to build `horovod`"
    tests = "...F [100%]\nFAILED tests/test_a.py::test_b - KeyError: 1\n1 failed\n"
    assert reason(tests) == "FAILED tests/test_a.py::test_b - KeyError: 1"
