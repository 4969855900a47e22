"""The cause in what ranks printed, whichever launcher put what before it."""

import pytest

from experiments.launch.ranks import KILLED, reason_of, without_prefix

HOROVODRUN = """\
[0]<stderr>:Traceback (most recent call last):
[0]<stderr>:  File "/x/horovod/common/util.py", line 73, in check_extension
[0]<stderr>:    raise ImportError(
[0]<stderr>:ImportError: Extension horovod.tensorflow has not been built: /x/mpi_lib.so not found
[0]<stderr>:If this is not expected, reinstall Horovod with HOROVOD_WITH_TENSORFLOW=1.
Traceback (most recent call last):
  File "/x/horovod/runner/gloo_run.py", line 288, in launch_gloo
    raise RuntimeError(
RuntimeError: Horovod detected that one or more processes exited with non-zero status
Process name: 0
Exit code: 1
"""


def test_the_error_of_a_rank_counts_and_not_that_of_its_launcher():
    assert reason_of(HOROVODRUN) == (
        "a rank ended with: ImportError: Extension horovod.tensorflow has not been built: "
        "/x/mpi_lib.so not found"
    )


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        ("[1]<stderr>:ValueError: no\nExit code: 1", "a rank ended with: ValueError: no"),
        ("a.b.OtherError: no\nshutting down", "a rank ended with: a.b.OtherError: no"),
        ("0: error: no such volume", "a rank ended with: error: no such volume"),
        ("[0]<stderr>:KeyError: 'x'\nOSError: the launcher's", "a rank ended with: KeyError: 'x'"),
        ("error: no data\nerror: another rank is gone: x", "a rank ended with: error: no data"),
        ("srun: error: no nodes", "a rank ended with: srun: error: no nodes"),
        ("sh: mpirun: command not found", "a rank ended with: sh: mpirun: command not found"),
        ("Process name: 0\nExit code: 3\n", "the launcher reports: Exit code: 3"),
        ("RuntimeError: x\nProcess name: 1\nExit code: 137", KILLED),
        ("step 5\n\n", "the ranks ended without a result; last line: step 5"),
        ("", "the ranks ended without a result; last line: none"),
    ],
)
def test_reasons(log, reason):
    assert reason_of(log) == reason


@pytest.mark.parametrize(
    "line",
    ["[1]<stderr>:x y", "[1,0]<stdout>: x y", "Tue Nov 25 23:10:01 2026[0]<stderr>:x y", "12: x y"],
)
def test_what_a_launcher_puts_before_a_line(line):
    assert without_prefix(line) == "x y"
    assert without_prefix("File a.py: x") == "File a.py: x"
