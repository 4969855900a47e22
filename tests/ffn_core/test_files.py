"""Names of folders, and what the file system refuses."""

from pathlib import Path

import pytest

from ffn_core.errors import InputError
from ffn_core.files import folder_of, inside


@pytest.mark.parametrize(
    ("name", "below"),
    [
        ("study", "study"),
        ("team/study", "team/study"),
        ("/Users/me/s", "Users/me/s"),
        ("a//b", "a/b"),
    ],
)
def test_a_name_with_slashes_is_a_folder_below(name, below):
    assert inside(Path("/runs"), name) == Path("/runs") / below


@pytest.mark.parametrize("name", ["..", "../other", "a/../../b", "/", ""])
def test_no_name_leads_out_of_its_folder(name):
    with pytest.raises(InputError):
        inside(Path("/runs"), name)


def test_a_folder_that_cannot_be_made_is_bad_input(tmp_path):
    blocked = tmp_path / "file"
    blocked.touch()
    with (
        pytest.raises(InputError, match=f"runs_dir={blocked}/runs cannot be used .Not a dir"),
        folder_of("runs_dir", blocked / "runs"),
    ):
        (blocked / "runs" / "n4").mkdir(parents=True)


def test_what_goes_wrong_elsewhere_is_not_blamed_on_a_folder(tmp_path):
    with pytest.raises(FileNotFoundError), folder_of("runs_dir", tmp_path / "runs"):
        (tmp_path / "image.h5").read_bytes()
