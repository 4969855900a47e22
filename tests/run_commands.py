"""Commands in processes of their own that have imported already what is common to them.

The imports of a command take seconds of computing, of which most is MLflow. A server process has
paid them once, and forks a process for each command: it has arguments, working directory,
environment, signals and exit code of its own, as one that a shell starts.
"""

import atexit
import multiprocessing
import os
import runpy
import signal
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

COMMON = (
    "experiments.train",
    "experiments.sweep_status",
    "experiments.throughput.__main__",
    "experiments.tune",
    "experiments.segment.__main__",
    "experiments.launch.prepare",
    "experiments.data.info",
    "experiments.data.synthesize",
    "analysis.prediction.answer",
    "analysis.prediction.inputs",
)


class Command:
    """A command under way."""

    def __init__(
        self,
        words: Sequence[str],
        folder: Path,
        output: Path,
        environment: Mapping[str, str] | None = None,
        cores: Collection[int] = (),
    ) -> None:
        """Start it.

        Args:
            words: ``["python", "-m", MODULE, ...]``.
            folder: where it works.
            output: file of all it prints.
            environment: all variables; those of this process unless given.
            cores: on which it and its children may run; all unless given.
        """
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([*COMMON])
        variables = dict(os.environ if environment is None else environment)
        arguments = (list(words), str(folder), str(output), variables, list(cores))
        self._output = output
        self._process = context.Process(target=_carry_out, args=arguments)
        self._process.start()

    @property
    def output(self) -> str:
        """What it has printed."""
        return self._output.read_text() if self._output.exists() else ""

    def wait(self, timeout_s: float) -> int | None:
        """Exit code (minus the signal that ended it); None if it has not ended in that time."""
        self._process.join(timeout_s)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        """Kill it, if it has not ended, and wait for that."""
        self._process.kill()
        self._process.join()


def _carry_out(
    words: list[str], folder: str, output: str, variables: dict[str, str], cores: list[int]
) -> None:
    """Run a command in this process, as the last thing that it does."""
    # A shell starts deaf to Ctrl-C what it puts in the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if cores:
        os.sched_setaffinity(0, cores)
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for descriptor in (1, 2):
        os.dup2(file, descriptor)
    os.close(file)
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(folder)
    sys.argv = [words[2], *words[3:]]
    for name in (words[2], f"{words[2]}.__main__"):  # or it would warn that it is imported twice
        if not hasattr(sys.modules.get(name), "__path__"):
            sys.modules.pop(name, None)
    try:
        runpy.run_module(words[2], run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()
