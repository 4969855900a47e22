"""Real processes: what they are given, and that none outlives its parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from ffn_core.child_process import python_module, run, start
from ffn_core.files import REPOSITORY

SHELL = ["sh", "-c"]


def test_a_child_finds_the_packages_first_and_keeps_the_users_path():
    said = run([*SHELL, 'echo "$PYTHONPATH $A"; pwd'], environment={"PYTHONPATH": "/x", "A": "b"})
    assert said.stdout.splitlines() == [f"{REPOSITORY}:/x b", str(REPOSITORY)]


def test_a_child_without_a_path_gets_no_empty_entry():
    """An empty entry would be the folder in which the child runs."""
    assert run([*SHELL, 'echo "$PYTHONPATH"'], environment={}).stdout == f"{REPOSITORY}\n"


def test_output_is_appended_to_the_log(tmp_path):
    log = tmp_path / "log"
    assert run([*SHELL, "echo one; exit 3"], log=log).returncode == 3
    assert start([*SHELL, "pwd; echo two >&2"], log, cwd=tmp_path).wait() == 0
    assert log.read_text() == f"one\n{tmp_path}\ntwo\n"


def test_a_session_of_its_own(tmp_path):
    for own in (True, False):
        process = start(["sleep", "60"], tmp_path / "log", own_session=own)
        assert (os.getsid(process.pid) == process.pid) is own
        process.kill()
        process.wait()


def test_a_module_is_run_by_this_python():
    assert python_module("a.b", "c") == [sys.executable, "-m", "a.b", "c"]


def test_a_child_ends_with_a_parent_that_is_killed(tmp_path):
    program = (
        "import sys, time; from pathlib import Path; from ffn_core.child_process import start\n"
        "print(start(['sleep', '60'], Path(sys.argv[1])).pid, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while _runs(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _runs(child)


def _runs(pid: int) -> bool:
    """Whether a process is there and not a zombie that no process has waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
