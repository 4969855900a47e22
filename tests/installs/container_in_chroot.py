"""Carry out the steps of the Containerfile in a fresh Debian, without a container engine.

``python tests/installs/container_in_chroot.py FOLDER``, as root, with debootstrap on the PATH: each
RUN, COPY, ENV, ARG and WORKDIR of the file in turn, in ``FOLDER`` as the root of its own. What
Horovod is compiled with is then what the image has, and nothing of this machine's. Nothing is
mounted: `chroot` alone is no container, so do not run what you do not trust.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
ARCHIVE = "http://deb.debian.org/debian"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
"""Where a network signs its traffic itself, the machine's own file knows its signature."""
TRUSTING = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
"""Variables that name such a file to pip and uv; passed on where this machine sets them."""


@dataclass
class Steps:
    """The instructions of a Containerfile, with what has been set by then.

    Attributes:
        folder: what is the root of the file system to them.
        variables: of ENV and ARG.
        where: WORKDIR, below ``folder``.
    """

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)
    where: str = "/"

    def carry_out(self, word: str, rest: str) -> None:
        """One instruction.

        Raises:
            ValueError: It is one that this program does not know.
            subprocess.CalledProcessError: A command of it failed.
        """
        if word == "FROM":
            suite = rest.partition(":")[2].removesuffix("-slim")
            command = ["debootstrap", "--variant=minbase", suite, str(self.folder), ARCHIVE]
            subprocess.run(command, check=True)
            shutil.copy("/etc/resolv.conf", self.folder / "etc/resolv.conf")
        elif word in ("ARG", "ENV"):
            self.variables |= dict(pair.split("=", 1) for pair in rest.split())
        elif word == "WORKDIR":
            self.where = rest
            self._inside(rest).mkdir(parents=True, exist_ok=True)
        elif word == "COPY":
            *sources, target = rest.split()
            self._copy(sources, self._inside(self.where) / target)
        elif word == "RUN":
            environment = {"HOME": "/root", "PATH": os.defpath} | self.variables
            environment |= self._certificates()
            shell = ["/bin/sh", "-ec", f"cd {self.where} && {rest}"]
            chroot = [str(shutil.which("chroot")), str(self.folder), *shell]
            subprocess.run(chroot, env=environment, check=True)
        else:
            raise ValueError(f"unknown instruction {word}")

    def _certificates(self) -> dict[str, str]:
        """The machine's certificates, once Debian's are installed; what points pip and uv there."""
        target = self._inside(str(CERTIFICATES))
        if not (CERTIFICATES.is_file() and target.is_file()):
            return {}
        shutil.copy(CERTIFICATES, target)
        return {name: str(CERTIFICATES) for name in TRUSTING if name in os.environ}

    def _inside(self, path: str) -> Path:
        return self.folder / path.lstrip("/")

    def _copy(self, sources: list[str], target: Path) -> None:
        """What git tracks of the sources, as in a fresh clone."""
        listed = subprocess.run(
            ["git", "ls-files", "-z", *sources],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        for name in listed.stdout.rstrip("\0").split("\0"):
            if (ROOT / name).is_file():
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, target / name)


def instructions(text: str) -> list[tuple[str, str]]:
    """Word and arguments of each line of a Containerfile; one line is one instruction here."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.partition(" ")[0], line.partition(" ")[2].strip()) for line in lines]


def main(arguments: list[str]) -> int:
    """Carry out all steps; returns the exit code."""
    if len(arguments) != 1 or os.geteuid() != 0 or not shutil.which("debootstrap"):
        print(__doc__, file=sys.stderr)
        return 2
    folder = Path(arguments[0]).absolute()
    steps = Steps(folder)
    for number, (word, rest) in enumerate(instructions((ROOT / "Containerfile").read_text())):
        print(f"[{number}] {word} {rest}", flush=True)
        steps.carry_out(word, rest)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
