"""Names of folders, and what the file system refuses."""

import errno
from pathlib import Path

import pytest

from ffn_core.errors import FileError, InputError
from ffn_core.files import folder_of, inside, whole_file


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
        pytest.raises(
            FileError, match=f"^cannot use runs_dir={blocked}/runs .*: Not a dir"
        ) as said,
        folder_of("runs_dir", blocked / "runs"),
    ):
        (blocked / "runs" / "n4").mkdir(parents=True)
    assert said.value.errno == errno.ENOTDIR


def test_the_option_is_added_to_an_error_that_names_the_path(tmp_path):
    blocked = tmp_path / "file"
    blocked.touch()
    with (
        pytest.raises(FileError, match=f"^data.cache_dir={blocked}: cannot write {blocked}/v.h5"),
        folder_of("data.cache_dir", blocked),
        whole_file(blocked / "v.h5"),
    ):
        pass


def test_other_bad_input_stays_as_it_is(tmp_path):
    with pytest.raises(InputError, match=r"^seed=-1$"), folder_of("runs_dir", tmp_path):
        raise InputError("seed=-1")


def test_what_goes_wrong_elsewhere_is_not_blamed_on_a_folder(tmp_path):
    with pytest.raises(FileNotFoundError), folder_of("runs_dir", tmp_path / "runs"):
        (tmp_path / "image.h5").read_bytes()
