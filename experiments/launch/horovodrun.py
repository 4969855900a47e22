"""``python -m experiments.launch.horovodrun ...``: Horovod's launcher, sooner, without secrets.

``horovodrun`` imports TensorFlow in a process of its own, each time, to learn whether Horovod was
built with Gloo. Ours always is; where it is not, the ranks say so themselves.

It also writes all variables of its environment on the command line of every rank, and the key of
its own helpers on theirs, where each user of the machine can read them. Here, a process on this
host inherits the environment, and one on another host reads it from its standard input, which ssh
encrypts. A command line holds only what Horovod itself says of a rank: its number, the hosts, where
they meet.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import sys
import threading
from collections.abc import Collection, Mapping
from types import FrameType
from typing import Any

HOROVODRUN = [sys.executable, "-m", "experiments.launch.horovodrun"]

_NAME = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*")
_OF_THE_SHELL = {b"BASHOPTS", b"BASH_VERSINFO", b"EUID", b"PPID", b"SHELLOPTS", b"UID"}
"""Variables that bash does not let anyone set."""

_SETTINGS = "FFN_SCALING_HOROVOD_SETTINGS"
_TASK_SERVER = (
    f"import os, runpy, sys; sys.argv.append(os.environ.pop({_SETTINGS!r})); "
    "runpy.run_module('horovod.runner.task_fn', run_name='__main__')"
)


def without_equals(command: list[str]) -> list[str]:
    """The same command with no ``=`` in its first word, which ``env`` would take for a variable."""
    return ["/bin/sh", "-c", 'exec "$0" "$@"', *command] if "=" in command[0] else command


def exports(environment: Mapping[bytes, bytes]) -> bytes:
    """The lines of shell that set the variables of ``environment``, as far as a shell can."""
    lines = [
        b"export %s=%s\n" % (name, os.fsencode(shlex.quote(os.fsdecode(value))))
        for name, value in environment.items()
        if _NAME.fullmatch(name) and name not in _OF_THE_SHELL
    ]
    return b"".join(lines)


def memory_file(content: bytes) -> str:
    """The path of a file on no disk, which only this user's processes on this host can read.

    It is there until this process ends.
    """
    descriptor = os.memfd_create("environment")
    with os.fdopen(descriptor, "wb", closefd=False) as file:
        file.write(content)
    return f"/proc/{os.getpid()}/fd/{descriptor}"


def reading(path: str, command: str) -> str:
    """Shell: run ``command`` once the variables that ``path`` exports are set.

    Args:
        path: of a file of `exports`.
        command: in shell, for the same host.
    """
    return f"{_from_standard_input(command)} < {shlex.quote(path)}"


def reading_over_ssh(path: str, local_command: str, **ssh: Any) -> str:
    """Shell: the same on another host, for which ``path`` is read on this one.

    Args:
        path: of a file of `exports`.
        local_command: in shell, for that host.
        ssh: ``host``, ``port`` and ``identity_file`` of Horovod's ``get_remote_command``.
    """
    from horovod.runner.util.remote import get_remote_command

    remote = shlex.quote(_from_standard_input(local_command))
    return f"{get_remote_command(remote, **ssh)} < {shlex.quote(path)}"


def shutdown_event() -> threading.Event:
    """An event that is set at the first SIGINT or SIGTERM; later ones are ignored.

    In place of Horovod's ``register_shutdown_event``, whose handler waits for ever where a second
    signal comes while the first one sets the event. A parent of several threads that is killed
    brings about several: one for each thread that dies.
    """
    event = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        event.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    return event


def main() -> None:
    """Do what ``horovodrun`` does."""
    from horovod.runner import gloo_run, launch
    from horovod.runner.driver import driver_service

    gloo_run.register_shutdown_event = shutdown_event
    start, start_elastic = launch.gloo_run, launch.gloo_run_elastic
    launch.gloo_built = lambda **_: True
    launch.gloo_run = lambda settings, nics, environment, *rest: start(
        settings, nics, _hand_over(environment), *rest
    )
    launch.gloo_run_elastic = lambda settings, environment, *rest: start_elastic(
        settings, _hand_over(environment), *rest
    )
    driver_service._launch_task_servers = _start_task_servers
    launch.run_commandline()


def _hand_over(environment: Mapping[str, str]) -> dict[str, str]:
    """Let ranks have ``environment`` from us; returns what is left for their command lines."""
    from horovod.runner import gloo_run
    from horovod.runner.common.util.env import is_exportable

    os.environ.update(environment)  # some options of the launcher are variables of the ranks
    sent = {n: v for n, v in os.environb.items() if is_exportable(os.fsdecode(n))}
    path = memory_file(exports(sent))

    def remote(quoted: str, **ssh: Any) -> str:
        (command,) = shlex.split(quoted)
        return reading_over_ssh(path, command, **ssh)

    gloo_run.get_remote_command = remote
    return {}


def _start_task_servers(
    hosts: list[str], local_hosts: Collection[str], driver_addresses: object, settings: Any
) -> None:
    """Start the helpers that find the network interfaces common to all hosts.

    In place of Horovod's function of this name, which puts ``settings`` on their command lines, and
    in it the key that lets its holder run any code in a helper.
    """
    from horovod.runner.common.util import codec, safe_shell_exec
    from horovod.runner.util import threads

    path = memory_file(exports({_SETTINGS.encode(): codec.dumps_base64(settings).encode()}))

    def start(command: str) -> None:
        if code := safe_shell_exec.execute(command):
            print(f"error: Horovod's helper failed with {code}: {command}", file=sys.stderr)
            sys.stderr.flush()
            os._exit(code)

    commands = []
    for index, host in enumerate(hosts):
        public = [codec.dumps_base64(value) for value in (index, len(hosts), driver_addresses)]
        command = shlex.join([sys.executable, "-c", _TASK_SERVER, *public])
        if host in local_hosts:
            commands.append(reading(path, command))
        else:
            ssh = {"port": settings.ssh_port, "identity_file": settings.ssh_identity_file}
            commands.append(reading_over_ssh(path, command, host=host, **ssh))
    threads.execute_function_multithreaded(
        start, [[command] for command in commands], block_until_all_done=False
    )


def _from_standard_input(command: str) -> str:
    """Shell: run ``command`` once the variables that standard input exports are set."""
    return shlex.join(["/bin/sh", "-c", f'eval "$(cat)" || exit; {command}'])


if __name__ == "__main__":
    main()
