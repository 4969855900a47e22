"""Two network namespaces as two hosts, with a link of a chosen rate between them. Needs root.

Each has an interface of its own and reaches nothing but the other. The rate is kept by a token
bucket (tc-tbf) at either end; delay is that of the kernel, some microseconds.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

HOSTS = ("ffn-a", "ffn-b")
INTERFACE = "link0"
ADDRESSES = ("10.77.0.1", "10.77.0.2")
BURST_BYTES = 16 * 1024  # sent at once after a pause: small beside the messages that are timed
QUEUE = "2000ms"  # at the link's rate: long enough that nothing is dropped


class LinkedHosts:
    """The two hosts, there while the context is entered."""

    def __enter__(self) -> LinkedHosts:
        try:
            for host in HOSTS:
                _run("ip", "netns", "add", host)
            ends = ("name", INTERFACE, "netns", HOSTS[0], "type", "veth", "peer")
            _run("ip", "link", "add", *ends, "name", INTERFACE, "netns", HOSTS[1])
            for host, address in zip(HOSTS, ADDRESSES, strict=True):
                # Stands in for /etc/hosts there: Gloo announces the address of our name.
                names = _hosts_file(host)
                names.parent.mkdir(parents=True)
                names.write_text(f"127.0.0.1 localhost\n{address} {socket.gethostname()}\n")
                _run("ip", "-n", host, "addr", "add", f"{address}/24", "dev", INTERFACE)
                for device in ("lo", INTERFACE):
                    _run("ip", "-n", host, "link", "set", device, "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for host in HOSTS:  # takes its end of the link along
            subprocess.run(["ip", "netns", "delete", host], check=False, capture_output=True)
            shutil.rmtree(_hosts_file(host).parent, ignore_errors=True)

    def on(self, host: int, command: Sequence[str]) -> list[str]:
        """The command that runs ``command`` on host 0 or 1."""
        return ["ip", "netns", "exec", HOSTS[host], *command]


def limit(mbit_per_s: float) -> None:
    """Let this host, on which it is called, send so much, headers of Ethernet included."""
    rate = ("rate", f"{mbit_per_s}mbit", "burst", str(BURST_BYTES), "latency", QUEUE)
    _run("tc", "qdisc", "replace", "dev", INTERFACE, "root", "tbf", *rate)


def _hosts_file(host: str) -> Path:
    return Path("/etc/netns", host, "hosts")


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)
