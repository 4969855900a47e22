"""Tasks: ``nox -l`` lists them. Every session uses the one locked environment that uv keeps."""

import json
import os
import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2024.4"
nox.options.sessions = ["lint", "tests"]
nox.options.default_venv_backend = "none"


def chosen_groups() -> tuple[str, ...]:
    """Options of uv that leave an environment with TensorFlow for GPUs one of that kind."""
    environment = Path(os.environ.get("UV_PROJECT_ENVIRONMENT", ".venv"))
    # The other one is called tensorflow_cpu.
    for_gpus = environment.glob("lib/python3.*/site-packages/tensorflow-*.dist-info")
    return ("--no-group", "cpu", "--group", "gpu") if any(for_gpus) else ()


def sync(session: nox.Session) -> None:
    """Bring .venv to the state of uv.lock; builds Horovod the first time (minutes)."""
    # Bytecode is compiled here once, not by every rank of every run.
    options = ("--locked", "--compile-bytecode", "--quiet", *chosen_groups())
    session.run("uv", "sync", *options, external=True)


def run(session: nox.Session, *command: str, **kwargs: object) -> None:
    """Run a command in the environment."""
    session.run("uv", "run", "--no-sync", *command, external=True, **kwargs)


@nox.session
def demo(session: nox.Session) -> None:
    """The main job on synthetic EM: two sweeps, an MLflow store, figures. Under 10 minutes."""
    sync(session)
    train = ("python", "-m", "experiments.train", "-m")
    run(session, *train, "experiment=weak_scaling", *session.posargs)
    run(session, *train, "experiment=demo_sweep", *session.posargs)
    run(session, "python", "-m", "analysis.figures", "--out", "figures", "--overwrite")
    # The address of the UI alone opens a page about language models.
    run(session, "python", "-m", "experiments.mlflow_pages")
    session.log("the command is one of .venv: put `uv run --no-sync` in front of it")


@nox.session
def tests(session: nox.Session) -> None:
    """All tests, two at a time; arguments after ``--`` go to pytest."""
    sync(session)
    # Three at a time were no faster on two cores.
    parallel = ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")
    run(session, "pytest", *parallel, *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff, codespell and mypy."""
    sync(session)
    run(session, "codespell")
    run(session, "ruff", "check")
    run(session, "ruff", "format", "--check")
    run(session, "mypy")


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation as a site in site/; fails on a broken link."""
    sync(session)
    run(session, "python", "docs/generate.py")
    # An environment of its own: the site reads the sources and imports nothing of them.
    own = ("uv", "run", "--locked", "--isolated", "--only-group", "docs")
    quiet = {"NO_MKDOCS_2_WARNING": "1"}
    session.run(*own, "mkdocs", "build", "--strict", "--quiet", external=True, env=quiet)
    session.log("look at it: python -m http.server --bind 127.0.0.1 --directory site")


@nox.session
def examples(session: nox.Session) -> None:
    """Run every command of README and docs for real, with small budgets; some minutes."""
    sync(session)
    run(session, "pytest", "-m", "examples", "tests/test_examples.py", *session.posargs)


@nox.session
def figures(session: nox.Session) -> None:
    """RESULTS.md, its figures and verdicts from the recorded studies; then the notebooks."""
    sync(session)
    run(session, "python", "-m", "analysis.results", "--overwrite", *session.posargs)
    run(session, "python", "-m", "analysis.results.notebooks", "--overwrite", *session.posargs)


@nox.session
def notebooks(session: nox.Session) -> None:
    """Run the notebooks and keep their outputs; `-- --experiment NAME`: over one of yours."""
    sync(session)
    run(session, "python", "-m", "analysis.results.notebooks", "--overwrite", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure every performance ratio on this machine, about half an hour."""
    sync(session)
    run(session, "python", "-m", "experiments.benchmarks", *session.posargs)


@nox.session
def cluster(session: nox.Session) -> None:
    """Prove multi-node runs as root: Slurm on four virtual nodes, two hosts with slow links."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        session.skip("needs root on Debian or Ubuntu: it installs Slurm and starts its daemons")
    sync(session)  # first: this environment's Horovod is to stay without MPI
    packages = ("slurm-wlm", "munge", "openmpi-bin", "libopenmpi-dev", "iproute2")
    install = ("apt-get", "install", "--yes", "--no-install-recommends")
    session.run("apt-get", "update", "--quiet", external=True)
    session.run(*install, *packages, external=True, env={"DEBIAN_FRONTEND": "noninteractive"})
    results = session.posargs[0] if session.posargs else "runs/cluster"
    run(session, "python", "tests/cluster/prove_links.py", results)
    run(session, "python", "tests/cluster/prove_slurm.py", results)


@nox.session
def audit(session: nox.Session) -> None:
    """Look every locked package up among known vulnerabilities; needs the internet to say much."""
    folder = Path(session.create_tmp())
    locked, report = folder / "locked.txt", folder / "audit.json"
    report.unlink(missing_ok=True)
    export = ("uv", "export", "--locked", "--all-groups", "--no-group", "gpu")
    options = ("--no-emit-project", "--quiet", "--output-file", str(locked))
    session.run(*export, *options, external=True, silent=True)
    command = ("uvx", "--quiet", "pip-audit", "--disable-pip", "--require-hashes")
    arguments = ("--requirement", str(locked), "--format", "json", "--output", str(report))
    # 1 is what it returns for findings and for no connection alike: the report distinguishes them.
    session.run(*command, *arguments, external=True, silent=True, success_codes=[0, 1])
    packages = json.loads(report.read_text())["dependencies"] if report.is_file() else []
    looked_up = [package for package in packages if "skip_reason" not in package]
    findings = [
        f"{package['name']} {package['version']}: {finding['id']}"
        for package in looked_up
        for finding in package["vulns"]
    ]
    if findings:
        session.error("; ".join(findings))
    if not looked_up:
        session.warn("the advisory service cannot be reached from here: nothing was audited")
        return
    session.log(f"no known vulnerability in {len(looked_up)} of {len(packages)} locked packages")


@nox.session
def newer(session: nox.Session) -> None:
    """Try versions beyond each upper bound of pyproject.toml, about an hour; or those named."""
    session.run("python", "tests/installs/newer_versions.py", *session.posargs, external=True)


@nox.session
def container(session: nox.Session) -> None:
    """Build the image of the Containerfile and train on two ranks in it: podman or docker."""
    engine = next(filter(shutil.which, ("podman", "docker")), None)
    if engine is None:
        session.skip("needs podman or docker")
    image = "ffn-scaling"
    build = ("build", "--file", "Containerfile", "--tag", image)
    session.run(engine, *build, *session.posargs, ".", external=True)
    train = ("python", "-m", "experiments.train", "experiment=demo", "cluster.nodes=2")
    session.run(engine, "run", "--rm", image, *train, "budget.fovs=2000", external=True)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Kill a run 50 times, or as often as given; try bad options, damaged files, full disks.

    FUZZ_OPTIONS, FUZZ_DAMAGE and FUZZ_DISK say how many of each, FUZZ_SEED which options.
    """
    sync(session)
    kills = session.posargs[0] if session.posargs else "50"
    counts = {"FUZZ_OPTIONS": "600", "FUZZ_DAMAGE": "300", "FUZZ_DISK": "40"}
    counts = {name: os.environ.get(name, count) for name, count in counts.items()}
    run(session, "pytest", "-s", "tests/fuzz", env=counts)
    environment = {"FUZZ_KILLS": kills, "FUZZ_REPORT": str(Path("fuzz.json").absolute())}
    files = ("test_crash_fuzz.py", "test_faults.py")
    run(session, "pytest", "-s", *(f"tests/integration/{f}" for f in files), env=environment)


@nox.session
def soak(session: nox.Session) -> None:
    """Train on two ranks for 120 minutes, or as many as given, and watch for leaks."""
    sync(session)
    minutes = session.posargs[0] if session.posargs else "120"
    run(session, "python", "-m", "experiments.soak", "--minutes", minutes, *session.posargs[1:])
