"""Ranks have their environment, and no command line holds any of it."""

import base64
import json
import os
import subprocess
import sys
import time

import psutil
import pytest

from experiments.launch.horovodrun import HOROVODRUN, exports, memory_file, reading
from ffn_core.files import REPOSITORY

PLANTED = {
    "DB_PASSWORD": "planted-one",
    "FAVORITE_COLOR": "planted-two",
    "DATABASE_URL": "postgresql://me:planted-three@host/db",
    "QUOTES": 'it\'s "planted" $(id) `id` \\ * ; exit 1\nand a second line',
    "EMPTY": "",
}
SHOW = "import json, os; print(json.dumps(dict(os.environ)))"
RANK = """\
import json, os, pathlib, sys
from psutil import process_iter
commands = [process.info["cmdline"] or [] for process in process_iter(["cmdline"])]
found = {"environment": dict(os.environ), "commands": commands, "cwd": os.getcwd()}
pathlib.Path(sys.argv[1], os.environ["HOROVOD_RANK"]).write_text(json.dumps(found))
"""
SSH = """\
#!/bin/sh
# As ssh: everything after the host and the options around it is one text for a shell elsewhere.
options() { while case "$1" in -*) ;; *) false ;; esac; do shift 2; done; left=$#; }
options "$@"; shift $(($# - left + 1))
options "$@"; shift $(($# - left))
cd / && exec env -i PATH=/usr/bin:/bin LOGGED_IN=yes /bin/sh -c "$*"
"""


def test_another_shell_reads_back_what_was_sent():
    odd = {
        b"SHELLOPTS": b"xtrace",
        b"BASH_FUNC_f%%": b"() { :; }",
        b"1A": b"x",
        b"NOT_UTF8": b"\xff",
    }
    sent = exports({os.fsencode(k): os.fsencode(v) for k, v in PLANTED.items()} | odd)
    for shell in ("/bin/sh", "/bin/bash"):
        script = sent + b'exec "$0" -c "$1"'
        command = [shell, "-c", os.fsdecode(script), sys.executable, SHOW]
        received = json.loads(
            subprocess.run(command, env={}, check=True, capture_output=True).stdout
        )
        assert received.items() >= (PLANTED | {"NOT_UTF8": "\udcff"}).items()
        assert "1A" not in received


def test_what_a_command_reads_is_for_this_user_alone():
    path = memory_file(exports({b"A": b"planted"}))
    shown = subprocess.run(
        reading(path, 'echo "$A"'), shell=True, env={}, check=True, capture_output=True, text=True
    )
    assert shown.stdout == "planted\n"
    if os.geteuid() == 0:
        other = ["setpriv", "--reuid=65534", "--clear-groups", "cat", path]
        refused = subprocess.run(other, check=False, capture_output=True, text=True)
        assert refused.returncode != 0
        assert refused.stdout == ""


def test_what_did_not_arrive_whole_starts_nothing(tmp_path):
    cut = exports({b"A": b"a long value"})[:-5]
    command = reading(memory_file(cut), f"touch {tmp_path}/started")
    assert subprocess.run(command, shell=True, check=False, capture_output=True).returncode != 0
    assert not list(tmp_path.iterdir())


@pytest.mark.ranks
def test_ranks_here_and_on_another_host_have_what_no_command_line_holds(tmp_path):
    """The other host is this one, behind an ssh that starts with an empty environment."""
    ssh, rank = tmp_path / "bin/ssh", tmp_path / "rank.py"
    ssh.parent.mkdir()
    ssh.write_text(SSH)
    ssh.chmod(0o755)
    rank.write_text(RANK)
    places = {"HOME": str(tmp_path), "PATH": f"{ssh.parent}:{os.environ['PATH']}"}
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HOROVOD_")}
    environment |= PLANTED | places | {"PYTHONPATH": str(REPOSITORY)}
    hosts = ("-np", "2", "-H", "127.0.0.1:1,127.0.0.2:1")
    command = [
        *HOROVODRUN,
        "--gloo",
        *hosts,
        "--verbose",
        "--disable-cache",
        "--log-level",
        "ERROR",
    ]
    command += [sys.executable, str(rank), str(tmp_path)]
    log = tmp_path / "log"
    helpers: set[tuple[str, ...]] = set()
    with (
        log.open("wb") as file,
        subprocess.Popen(
            command, env=environment, cwd=tmp_path, stdout=file, stderr=file
        ) as process,
    ):
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            helpers |= {c for c in commands() if any("task_fn" in word for word in c)}
            time.sleep(0.05)
        process.kill()
    assert process.returncode == 0, log.read_text()
    assert "planted" not in log.read_text()
    first, second = (json.loads((tmp_path / name).read_text()) for name in ("0", "1"))
    assert "LOGGED_IN" not in first["environment"]
    assert second["environment"]["LOGGED_IN"] == "yes"
    for found in (first, second):
        assert found["cwd"] == str(tmp_path)
        expected = PLANTED | {"HOROVOD_SIZE": "2", "HOROVOD_LOG_LEVEL": "ERROR"}
        assert found["environment"].items() >= expected.items()
        assert [c for c in found["commands"] if "planted" in " ".join(c)] == []
    assert helpers, "Horovod's helpers look for the common interfaces"
    assert [c for c in helpers if b"ettings" in decoded(c)] == [], "with the key that they trust"


def commands() -> set[tuple[str, ...]]:
    """Command lines of all processes."""
    return {tuple(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])}


def decoded(command: tuple[str, ...]) -> bytes:
    """What stands in base64 on a command line."""
    words = [word for part in command for word in part.split()]
    return b"".join(base64.b64decode(word + "==") for word in words if word.startswith("gA"))


@pytest.mark.parametrize(
    ("function", "ends"),
    [
        ("experiments.launch.horovodrun:shutdown_event", True),
        ("horovod.runner.gloo_run:register_shutdown_event", False),
    ],
)
def test_a_second_signal_in_the_middle_of_the_first_does_not_block_the_launcher(function, ends):
    """Horovod's own handler, which ours replaces, does."""
    module, _, name = function.partition(":")
    code = (
        "import os, signal, sys\n"
        f"from {module} import {name} as register\n"
        "event = register()\n"
        "def again(frame, *_):\n"
        "    if frame.f_code.co_name == 'notify_all':\n"  # the event's lock is held
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "sys.settrace(again)\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
        "sys.settrace(None)\n"
        "print(event.is_set())\n"
    )
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment
    )
    try:
        assert (process.communicate(timeout=20 if ends else 5)[0] == "True\n") == ends
    except subprocess.TimeoutExpired:
        assert not ends
    finally:
        process.kill()
        process.communicate()
