import os
import subprocess
from pathlib import Path

import pytest

from ffn_core.errors import InputError
from ffn_core.files import outputs as module
from ffn_core.files.output_list import LIST, digest, read_list
from ffn_core.files.outputs import Outputs, committed, new_folder, work_folder


def write(path: Path, content: bytes = b"ours", command: str = "a", **options) -> None:
    with Outputs(command, **options).place(path) as partial:
        partial.write_bytes(content)


def write_folder(path: Path, content: bytes = b"ours", **options) -> None:
    with Outputs("a", **options).place(path) as partial:
        (partial / "0").mkdir(parents=True)
        (partial / "0" / "chunk").write_bytes(content)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def everything(folder: Path) -> dict[str, bytes | str]:
    """Content of every file, target of every link, by path; links are not followed."""
    found: dict[str, bytes | str] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            found[str(path.relative_to(folder))] = str(path.readlink())
        else:
            found[str(path.relative_to(folder))] = path.read_bytes() if path.is_file() else "folder"
    return found


def refuse(folder: Path, path: Path, match: str, **options) -> None:
    """`check` and `place` refuse in one line, and nothing in the folder is another."""
    before = everything(folder)
    outputs = Outputs("a", **options)
    with pytest.raises(InputError, match=match) as caught:
        outputs.check([path])
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=match), outputs.place(path):
        raise AssertionError("never asked for its content")
    assert everything(folder) == before


def test_what_is_written_is_listed(tmp_path):
    write(tmp_path / "new" / "v.h5", command="synthesize")
    (entry,) = read_list(tmp_path / "new").values()
    assert (entry.command, entry.digest) == ("synthesize", digest(tmp_path / "new" / "v.h5"))
    assert names(tmp_path / "new") == [LIST, "v.h5"]


def test_own_outputs_are_replaced_on_request_only(tmp_path):
    path, said = tmp_path / "v.h5", []
    write(path, b"first")
    refuse(tmp_path, path, "add --overwrite to replace it")
    outputs = Outputs("a", overwrite=True, say=said.append)
    outputs.check([path, tmp_path / "other.h5"])
    assert said == [f"replacing in {tmp_path}: v.h5"]
    write(path, b"second", overwrite=True)
    assert path.read_bytes() == b"second"
    write(path, b"third", overwrite=True)
    assert path.read_bytes() == b"third"


def test_one_call_may_write_a_file_twice(tmp_path):
    outputs = Outputs("a")
    for content in (b"half of it", b"all of it"):
        with outputs.place(tmp_path / "table") as partial:
            partial.write_bytes(content)
    assert (tmp_path / "table").read_bytes() == b"all of it"


def test_own_folders_are_replaced_as_a_whole(tmp_path):
    write_folder(tmp_path / "image", b"first")
    refuse(tmp_path, tmp_path / "image", "add --overwrite")
    write_folder(tmp_path / "image", b"second", overwrite=True)
    assert (tmp_path / "image" / "0" / "chunk").read_bytes() == b"second"
    assert names(tmp_path) == [LIST, "image"]


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    "plant",
    [
        lambda path: path.write_bytes(b"mine"),
        lambda path: path.write_bytes(b""),
        lambda path: path.mkdir(),
        lambda path: (path.mkdir(), (path / "notes").write_bytes(b"mine")),
        lambda path: path.symlink_to(path.with_name("nothing")),
        lambda path: path.symlink_to(path.with_name("else")),
        lambda path: path.hardlink_to(path.with_name("else")),
        lambda path: os.mkfifo(path),
        lambda path: write(path, command="another command"),
        lambda path: (write(path), path.write_bytes(b"changed since")),
        lambda path: (write(path), path.unlink(), path.write_bytes(b"mine")),
        lambda path: (write(path), path.unlink(), path.symlink_to(path.with_name("else"))),
        lambda path: (write_folder(path), (path / "notes").write_bytes(b"mine")),
        lambda path: (write_folder(path), (path / "0" / "link").symlink_to("..")),
        lambda path: (write_folder(path), (path / "0" / "chunk").write_bytes(b"edit")),
        lambda path: (write(path.with_name("old")), path.with_name("old").rename(path)),
    ],
)
def test_what_is_not_ours_stays(tmp_path, plant, overwrite):
    (tmp_path / "else").write_bytes(b"mine")
    plant(tmp_path / "v.h5")
    match = r"v\.h5 is (there, and not as a wrote it|a symbolic link)"
    refuse(tmp_path, tmp_path / "v.h5", match, overwrite=overwrite)


@pytest.mark.parametrize("overwrite", [False, True])
def test_inputs_are_recognized_under_every_name(tmp_path, overwrite):
    source, store = tmp_path / "v.h5", tmp_path / "em.zarr"
    write(source, b"ours once, an input now")
    store.mkdir()
    (store / ".zarray").write_bytes(b"mine")
    (tmp_path / "link.h5").symlink_to("v.h5")
    (tmp_path / "hard.h5").hardlink_to(source)
    (tmp_path / "same").symlink_to(tmp_path)
    (tmp_path / "to_store").symlink_to("em.zarr")
    options = {"inputs": [source, store], "overwrite": overwrite}
    for name in ("v.h5", "link.h5", "hard.h5", "same/v.h5", "em.zarr/../v.h5", "em.zarr"):
        refuse(tmp_path, tmp_path / name, "is the input", **options)
    for name in ("em.zarr/half.h5", "em.zarr/new/half.h5", "to_store/half.h5", "same/em.zarr/x"):
        refuse(tmp_path, tmp_path / name, "lies in the input", **options)
    refuse(tmp_path, tmp_path, "holds the input", **options)
    write(tmp_path / "half.h5", **options)


def test_inputs_are_recognized_from_the_folder_we_are_in(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("v.h5").write_bytes(b"mine")
    refuse(tmp_path, Path("v.h5"), "is the input", inputs=[tmp_path / "v.h5"])
    refuse(tmp_path, tmp_path / "v.h5", "is the input", inputs=[Path("v.h5")])
    refuse(tmp_path, Path(), "holds the input", inputs=[Path("v.h5")])


def test_no_folder_to_write_to(tmp_path):
    (tmp_path / "file").write_bytes(b"mine")
    (tmp_path / "dangling").symlink_to("nothing")
    (tmp_path / "loop").symlink_to("loop")
    refuse(tmp_path, tmp_path / "file" / "v.h5", "file is a file, not a folder")
    refuse(tmp_path, tmp_path / "dangling" / "v.h5", "dangling is a link to nothing")
    refuse(tmp_path, tmp_path / "loop" / "v.h5", "cannot write")
    refuse(tmp_path, tmp_path / ("x" * 300), "name too long")
    refuse(tmp_path, tmp_path / LIST, "would hide the list")
    with pytest.raises(InputError, match="same path"):
        Outputs("a").check([tmp_path / "a", tmp_path / ".." / tmp_path.name / "a"])


def test_files_beside_stay(tmp_path):
    (tmp_path / "notes").write_bytes(b"mine")
    (tmp_path / ".v.h5").write_bytes(b"mine")
    before = everything(tmp_path)
    write(tmp_path / "v.h5")
    write(tmp_path / "v.h5", overwrite=True)
    assert {name: everything(tmp_path)[name] for name in before} == before


def write_half(path: Path, error: BaseException) -> None:
    with Outputs("a", overwrite=True).place(path) as partial:
        partial.write_bytes(b"half")
        raise error


def test_what_fails_leaves_what_was_there(tmp_path):
    write(tmp_path / "v.h5", b"whole")
    before = everything(tmp_path)
    for error in (InputError("no"), OSError("full"), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            write_half(tmp_path / "v.h5", error)
    assert everything(tmp_path) == before


def test_an_error_names_the_output_and_not_its_temporary_name(tmp_path):
    with pytest.raises(InputError) as caught, Outputs("a").place(tmp_path / "c.h5") as partial:
        raise InputError(f"cannot write {partial}")
    assert str(caught.value) == f"cannot write {tmp_path}/c.h5"


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_appears_meanwhile_stays(tmp_path, overwrite):
    outputs = Outputs("a", overwrite=overwrite)
    placing = outputs.place(tmp_path / "v")
    placing.__enter__().write_bytes(b"ours")
    (tmp_path / "v").write_bytes(b"mine")
    with pytest.raises(InputError, match="not as a wrote it"):
        placing.__exit__(None, None, None)
    assert everything(tmp_path) == {"v": b"mine"}


def test_nothing_is_replaced_in_the_last_moment(tmp_path, monkeypatch):
    """Between the last look and the move: moving itself fails where something is."""
    monkeypatch.setattr(module, "write_list", lambda *_: (tmp_path / "v").write_bytes(b"mine"))
    with pytest.raises(InputError, match="File exists"):
        write(tmp_path / "v")
    assert everything(tmp_path) == {"v": b"mine"}


def test_killed_between_listing_and_moving(tmp_path, monkeypatch):
    path = tmp_path / "v"
    write(path, b"first")
    with monkeypatch.context() as patched:
        patched.setattr(module, "_exchange", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            write(path, b"second", overwrite=True)
    assert path.read_bytes() == b"first"
    write(path, b"third", overwrite=True)
    assert path.read_bytes() == b"third"


def test_only_own_outputs_are_removed(tmp_path):
    for name in ("ours", "edited"):
        write(tmp_path / name)
    (tmp_path / "edited").write_bytes(b"mine")
    (tmp_path / "mine").write_bytes(b"mine")
    for overwrite in (False, True):
        for name in ("ours", "edited", "mine", "nothing"):
            Outputs("a", overwrite=overwrite).remove(tmp_path / name)
        assert (tmp_path / "ours").exists() != overwrite
    assert names(tmp_path) == [LIST, "edited", "mine"]
    assert sorted(read_list(tmp_path)) == ["edited"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"v": 1}', '{"v": {"digest": "x"}}'])
def test_a_damaged_list_proves_nothing(tmp_path, content):
    write(tmp_path / "v")
    (tmp_path / LIST).write_text(content)
    refuse(tmp_path, tmp_path / "v", f"{LIST} is damaged .*and what it should list", overwrite=True)


def test_a_list_that_is_a_link_is_not_written_through(tmp_path):
    (tmp_path / "precious").write_text("{}")
    (tmp_path / LIST).symlink_to("precious")
    write(tmp_path / "v")
    assert (tmp_path / "precious").read_text() == "{}"
    assert list(read_list(tmp_path)) == ["v"]


def test_the_same_content_again_leaves_the_list_alone(tmp_path):
    write(tmp_path / "v")
    before = (tmp_path / LIST).read_bytes()
    write(tmp_path / "v", overwrite=True)
    assert (tmp_path / LIST).read_bytes() == before


def test_a_new_folder_is_one(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there")
    for name in ("there", "link"):
        with pytest.raises(InputError, match="is there already"):
            new_folder(tmp_path / name)
    assert new_folder(tmp_path / "a" / "b").is_dir()


def test_a_work_folder_is_found_again_but_no_other_one(tmp_path):
    assert work_folder(tmp_path / "a") == work_folder(tmp_path / "a")
    (tmp_path / "b").mkdir()
    with pytest.raises(InputError, match="is there already"):
        work_folder(tmp_path / "b")
    assert names(tmp_path / "b") == []


def test_what_git_holds_can_be_replaced_in_the_project_alone(tmp_path, monkeypatch):
    def git(*arguments: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True)

    for name in ("same", "changed"):
        (tmp_path / name).write_bytes(b"of the project")
    assert not committed(tmp_path / "same")
    monkeypatch.setattr(module, "REPOSITORY", tmp_path)
    assert not committed(tmp_path / "same"), "no repository"
    git("init")
    git("add", ".")
    git("commit", "-m", "a")
    (tmp_path / "changed").write_bytes(b"mine")
    (tmp_path / "mine").write_bytes(b"mine")
    (tmp_path / ".gitignore").write_text("ignored\n")
    (tmp_path / "ignored").write_bytes(b"mine")
    found = {name: committed(tmp_path / name) for name in ("same", "changed", "mine", "ignored")}
    assert found == {"same": True, "changed": False, "mine": False, "ignored": False}
    write(tmp_path / "same", b"new", restorable=committed, overwrite=True)
    refuse(tmp_path, tmp_path / "mine", "not as a wrote it", restorable=committed, overwrite=True)
