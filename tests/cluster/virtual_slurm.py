"""A Slurm cluster of four nodes on one host: real daemons, each slurmd on a port of its own.

Needs root and Debian's slurm-wlm and munge. Everything it writes, munge's key included, is in one
folder; nothing of an installed Slurm is used or changed but its programs.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil

NODES = ("n1", "n2", "n3", "n4")
FIRST_PORT = 17010
START_LIMIT_S = 60.0

_CONF = """\
ClusterName=virtual
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
AuthType=auth/munge
# A requeued job may start again once its old credential has expired.
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdSpoolDir={folder}/spool.%n
SlurmdPidFile={folder}/slurmd.%n.pid
# PMIx keeps its files here: nodes that share a host must not share them.
TmpFS={folder}/tmp.%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/linear
SlurmdParameters=config_overrides
ReturnToService=2
SlurmdTimeout=10
KillWait=5
JobRequeue=1
# Jobs that have ended are remembered for the whole proof.
MinJobAge=7200
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SchedulerParameters=sched_interval=5,batch_sched_delay=1
NodeName=n[1-4] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{first}-{last}] CPUs=1
PartitionName=main Nodes=n[1-4] Default=YES PriorityTier=1 GraceTime=60 State=UP
PartitionName=urgent Nodes=n[1-4] PriorityTier=2 PreemptMode=OFF State=UP
"""


class VirtualSlurm:
    """The cluster, up while the context is entered."""

    def __init__(self, folder: Path) -> None:
        """Nothing is started yet.

        Args:
            folder: empty; configuration, logs and state are kept there.
        """
        self._folder = folder.absolute()
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        self.environment = os.environ | {"SLURM_CONF": str(self._folder / "slurm.conf")}

    def __enter__(self) -> VirtualSlurm:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def call(self, *command: str) -> str:
        """Output of a Slurm command."""
        return subprocess.run(
            command, env=self.environment, check=True, capture_output=True, text=True
        ).stdout.strip()

    def kill_node(self, node: str) -> int:
        """End a node as a power cut does: slurmd, job steps and tasks. Returns how many ended."""
        daemon = self._daemons.pop(node)
        daemon.kill()
        daemon.wait()
        tasks = [p for p in self._processes() if _variable(p, "SLURMD_NODENAME") == node]
        steps = {p.parent() for p in tasks}
        victims = [*(p for p in steps if p is not None and p.name() == "slurmstepd"), *tasks]
        _kill(victims)
        return 1 + len(victims)

    def _start(self) -> None:
        for name in ("state", *(f"spool.{n}" for n in NODES), *(f"tmp.{n}" for n in NODES)):
            (self._folder / name).mkdir(parents=True)
        self._folder.chmod(0o755)
        conf = _CONF.format(
            host=socket.gethostname().partition(".")[0],
            folder=self._folder,
            port=FIRST_PORT,
            first=FIRST_PORT + 1,
            last=FIRST_PORT + len(NODES),
        )
        (self._folder / "slurm.conf").write_text(conf)
        key = self._folder / "munge.key"
        key.touch(0o600)
        key.write_bytes(secrets.token_bytes(128))
        paths = {"socket": "munge.socket", "key-file": "munge.key", "pid-file": "munge.pid"}
        paths |= {"log-file": "munge.log", "seed-file": "munge.seed"}
        options = [f"--{option}={self._folder / name}" for option, name in paths.items()]
        self._daemon("munged", "munged", "--foreground", "--force", *options)
        self._wait_for("munged", (self._folder / "munge.socket").exists)
        self._daemon("slurmctld", "slurmctld", "-D", "-i")
        for node in NODES:
            self._daemon(node, "slurmd", "-D", "-N", node)
        self._wait_for("the nodes", lambda: self._idle() == len(NODES))

    def _idle(self) -> int:
        listed = ("sinfo", "--noheader", "--partition=main", "--states=idle", "--format=%D")
        try:
            return sum(int(n) for n in self.call(*listed).split())
        except subprocess.CalledProcessError:
            return 0  # slurmctld does not answer yet

    def _daemon(self, name: str, *command: str) -> None:
        with (self._folder / f"{name}.log").open("wb") as log:
            self._daemons[name] = subprocess.Popen(
                command, env=self.environment, stdout=log, stderr=subprocess.STDOUT
            )

    def _wait_for(self, what: str, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_LIMIT_S
        while not ready():
            ended = [name for name, daemon in self._daemons.items() if daemon.poll() is not None]
            if ended or time.monotonic() > deadline:
                logs = "\n".join((self._folder / f"{name}.log").read_text() for name in ended)
                raise RuntimeError(f"{what} did not start within {START_LIMIT_S} s\n{logs}")
            time.sleep(0.2)

    def _processes(self) -> list[psutil.Process]:
        """Everything that runs by this cluster's configuration."""
        ours = self.environment["SLURM_CONF"]
        return [p for p in psutil.process_iter() if _variable(p, "SLURM_CONF") == ours]

    def _stop(self) -> None:
        for daemon in reversed(self._daemons.values()):
            daemon.terminate()
        for daemon in self._daemons.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                daemon.wait(10.0)
        _kill(self._processes())
        for daemon in self._daemons.values():
            daemon.wait()


def _variable(process: psutil.Process, name: str) -> str | None:
    try:
        # Not psutil's environ(): it stops at the gap that a changed process title leaves.
        block = Path(f"/proc/{process.pid}/environ").read_bytes()
    except OSError:
        return None  # it has ended
    pairs = (entry.partition(b"=") for entry in block.split(b"\0"))
    return next((value.decode() for key, _, value in pairs if key == name.encode()), None)


def _kill(processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
