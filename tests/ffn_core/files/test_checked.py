"""Small files that say themselves whether they are whole."""

import json

import pandas as pd
import pytest
import yaml

from ffn_core.errors import DamagedError, FileError, InputError
from ffn_core.files import checked, patient_file, whole_file

VALUES = {"outcome": "finished", "score": {"best": 0.5}, "steps": [1, 2]}


@pytest.mark.parametrize("values", [VALUES, [1, 2], [], 0.5, {}])
def test_json_is_read_as_it_was_written(tmp_path, values):
    path = tmp_path / "a.json"
    checked.write_json(path, values)
    assert checked.read_json(path) == values
    assert [one.name for one in tmp_path.iterdir()] == ["a.json"]


def test_the_checksum_is_a_last_member_for_other_programs(tmp_path):
    path = tmp_path / "a.json"
    checked.write_json(path, VALUES)
    found = json.loads(path.read_text())
    assert list(found) == [*VALUES, "sha256"]
    del found["sha256"]
    assert found == VALUES


def test_files_without_a_checksum_are_taken_as_they_are(tmp_path):
    path = tmp_path / "a"
    path.write_text(json.dumps(VALUES, indent=1))
    assert checked.read_json(path) == VALUES
    path.write_text(yaml.safe_dump(VALUES))
    assert checked.read_yaml(path) == VALUES
    assert checked.from_line('{"step": 1, "metrics": {"a": 2}}\n', 7) == {
        "step": 1,
        "metrics": {"a": 2},
    }
    assert checked.read_json(tmp_path / "none") is None
    assert checked.read_yaml(tmp_path / "none") is None


def test_no_bit_of_a_file_can_flip_unnoticed(tmp_path):
    path = tmp_path / "a"
    for write, read in (
        (checked.write_json, checked.read_json),
        (checked.write_yaml, checked.read_yaml),
    ):
        write(path, VALUES)
        content = path.read_bytes()
        for at in range(len(content)):
            for bit in range(8):
                changed = bytearray(content)
                changed[at] ^= 1 << bit
                path.write_bytes(changed)
                with pytest.raises(DamagedError) as caught:
                    read(path)
                assert str(path) in str(caught.value)
                assert "\n" not in str(caught.value)


def test_no_file_can_be_cut_short_unnoticed(tmp_path):
    path = tmp_path / "a"
    for write, read in (
        (checked.write_json, checked.read_json),
        (checked.write_yaml, checked.read_yaml),
    ):
        write(path, VALUES)
        content = path.read_bytes()
        for size in range(len(content)):
            path.write_bytes(content[:size])
            with pytest.raises(DamagedError):
                read(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "empty"),
        ("{}", "without a valid 'outcome'"),
        ("null", "holds no names"),
        ("[1]", "holds no names"),
        ('{"outcome": 5}', "without a valid 'outcome'"),
        ("x\xff", "Expecting value"),
    ],
)
def test_what_is_needed_is_there_or_said(tmp_path, content, said):
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(DamagedError, match=f"a.json is damaged .*{said}.*; do that"):
        checked.read_json(path, "do that", {"outcome": str})


def test_lines_know_their_place():
    line = checked.to_line({"step": 1, "metrics": {"a": 2}}, 3)
    assert checked.from_line(line, 3) == {"step": 1, "metrics": {"a": 2}}
    with pytest.raises(ValueError, match="it was line 3"):
        checked.from_line(line, 2)
    for wrong in (line.replace("2}", "5}"), line.replace("crc32", "crc33"), line[:-9] + "\n"):
        with pytest.raises(ValueError, match=r"checksum|Expecting"):
            checked.from_line(wrong, 3)


def test_parquet_with_a_checksum_is_read_by_others(tmp_path):
    path, table = tmp_path / "a.parquet", pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    table.to_parquet(path)
    checked.check_parquet(path)
    checked.seal_parquet(path)
    checked.check_parquet(path)
    pd.testing.assert_frame_equal(pd.read_parquet(path), table)
    content = path.read_bytes()
    for at in range(len(content)):
        changed = bytearray(content)
        changed[at] ^= 4
        path.write_bytes(changed)
        with pytest.raises(DamagedError):
            checked.check_parquet(path)


def test_places_that_take_nothing_are_named_with_the_reason(tmp_path):
    (tmp_path / "file").write_text("mine")
    for path, reason in (
        (tmp_path / "file" / "a", "File exists; something else is in the way"),
        (tmp_path / ("n" * 300) / "a", "File name too long; give a shorter name"),
    ):
        with pytest.raises(FileError, match=f"cannot write .*/a: {reason}"):
            checked.write_json(path, VALUES)


def test_a_full_disk_is_named_and_what_was_whole_stays(tmp_path):
    path = tmp_path / "a"
    path.write_text("old")

    def write() -> None:
        with whole_file(path) as partial:
            partial.symlink_to("/dev/full")
            partial.write_text("new")

    with pytest.raises(FileError, match=f"cannot write {path}: No space left on device; free some"):
        write()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_errors_of_others_are_not_of_the_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="elsewhere"), whole_file(tmp_path / "a"):
        (tmp_path / "elsewhere").read_text()
    with pytest.raises(InputError, match=r"^bad$"), whole_file(tmp_path / "a"):
        raise InputError("bad")


def test_a_patient_file_raises_only_at_the_end(tmp_path):
    full = tmp_path / "full"
    full.symlink_to("/dev/full")
    taken = []

    def write() -> None:
        with patient_file(full) as file:
            taken.extend(file.write(data) for data in (b"abc", b"de"))

    with pytest.raises(OSError, match="No space left"):
        write()
    assert taken == [3, 2]
