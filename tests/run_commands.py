"""Run commands, each in a process of its own that has imported what is common to them.

    python tests/run_commands.py < commands.json > results.json

In: a list of command lines as lists, each ``["python", "-m", MODULE, ...]``. Out, in their order:
``{"code": exit code, "output": text}``. Imports are paid once, so that many short commands are
checked in the time of one.
"""

import importlib
import json
import os
import runpy
import sys
import tempfile
from pathlib import Path

COMMON = (
    "experiments.config.hydra_app",
    "experiments.sweep.sweep",
    "experiments.data.info",
    "experiments.data.synthesize",
    "analysis.prediction.answer",
    "analysis.prediction.inputs",
)


def run(command: list[str], output: Path) -> int:
    """Run one command in a child process; its output goes to a file."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with output.open("w") as file:
                for descriptor in (1, 2):
                    os.dup2(file.fileno(), descriptor)
            sys.argv = [command[2], *command[3:]]
            runpy.run_module(command[2], run_name="__main__", alter_sys=True)
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main() -> None:
    """Read commands from standard input, write results to standard output."""
    commands = json.load(sys.stdin)
    for module in COMMON:
        importlib.import_module(module)
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for command in commands:
            output = Path(folder) / "output"
            code = run(command, output)
            results.append({"code": code, "output": output.read_text()})
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
