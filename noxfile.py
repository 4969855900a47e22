"""Tasks: ``nox -l`` lists them. Every session uses the one locked environment that uv keeps."""

import nox

nox.needs_version = ">=2024.4"
nox.options.sessions = ["lint", "tests"]
nox.options.default_venv_backend = "none"


def sync(session: nox.Session) -> None:
    """Bring .venv to the state of uv.lock; builds Horovod the first time (minutes)."""
    # Bytecode is compiled here once, not by every rank of every run.
    session.run("uv", "sync", "--locked", "--compile-bytecode", "--quiet", external=True)


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
    run(session, "python", "-m", "analysis.figures", "--out", "figures")
    ui = "uv run mlflow ui --host 127.0.0.1 --backend-store-uri sqlite:///mlflow.db"
    session.log(f"compare the runs: {ui}, then open http://127.0.0.1:5000")


@nox.session
def tests(session: nox.Session) -> None:
    """All tests; arguments after ``--`` go to pytest."""
    sync(session)
    run(session, "pytest", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff and mypy."""
    sync(session)
    run(session, "ruff", "check")
    run(session, "ruff", "format", "--check")
    run(session, "mypy")
