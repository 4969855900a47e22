"""What is installed: found without importing it, and said in one line where it does not do."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from ffn_core.devices.installed import (
    BUILD_HOROVOD,
    SWITCH,
    TensorFlowBuild,
    horovod_folder,
    require_horovod,
    require_tensorflow,
    tensorflow_build,
)
from ffn_core.errors import InputError

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_this_environment_can_train():
    require_tensorflow("auto", tensorflow_build())
    require_horovod(horovod_folder())


@pytest.mark.parametrize(
    ("device", "build", "said"),
    [
        ("auto", None, "TensorFlow is not installed"),
        ("gpu", TensorFlowBuild("2.18.1", "cpu"), SWITCH),
    ],
)
def test_another_tensorflow_is_asked_for_in_one_line(device, build, said):
    with pytest.raises(InputError, match=re.escape(said)) as caught:
        require_tensorflow(device, build)
    assert "\n" not in str(caught.value)


def test_the_tensorflow_for_gpus_also_computes_on_a_cpu():
    require_tensorflow("cpu", TensorFlowBuild("2.18.1", "gpu"))


def test_a_horovod_without_tensorflow_is_to_be_built_again(tmp_path):
    """As pip leaves it where TensorFlow is not in the environment it builds in."""
    (tmp_path / "tensorflow").mkdir()
    (tmp_path / "tensorflow/mpi_ops.py").touch()
    with pytest.raises(InputError, match="was built without TensorFlow") as caught:
        require_horovod(tmp_path)
    assert BUILD_HOROVOD in str(caught.value)
    assert "\n" not in str(caught.value)
    (tmp_path / "tensorflow/mpi_lib.cpython-311-x86_64-linux-gnu.so").touch()
    require_horovod(tmp_path)


def test_no_horovod_is_said_too():
    with pytest.raises(InputError, match="Horovod is not installed"):
        require_horovod(None)


def test_all_that_name_a_version_name_the_same():
    """Both kinds of TensorFlow, the one that Horovod is built against, and the advice."""
    extras = PROJECT["project"]["optional-dependencies"]
    built = PROJECT["tool"]["uv"]["extra-build-dependencies"]["horovod"]
    texts = [*extras["cpu"], *extras["gpu"], *(text for text in built if "tensorflow" in text)]
    texts = [text for text in texts if "!=" not in text]  # those for no system of ours
    versions = [re.findall(r"==([\d.]+)", text) for text in texts]
    assert len(texts) == 3
    assert len({version for (version,) in versions}) == 1
    assert any(text in BUILD_HOROVOD for text in PROJECT["project"]["dependencies"])


def test_every_recipe_builds_horovod_with_the_same_settings():
    """That of uv, the advice of a command, and the lines for pip and for another project."""
    settings = PROJECT["tool"]["uv"]["extra-build-variables"]["horovod"]
    guide = (ROOT / "docs/guides/installing.md").read_text()
    pip = re.search(r"^HOROVOD_WITH.*\\\n.*horovod==.*$", guide, re.MULTILINE)
    other = re.search(r"^horovod = (\{.*\})$", guide, re.MULTILINE)
    assert tomllib.loads(f"horovod = {other[1]}")["horovod"] == settings
    for text in (BUILD_HOROVOD, pip[0]):
        words = shlex.split(text.replace("\\\n", " "))
        assert dict(word.split("=", 1) for word in words[: words.index("pip")]) == settings
