"""One point of a study, start to end: prepare, launch the ranks, sync to MLflow, conclude."""

from __future__ import annotations

import dataclasses
import fcntl
import os
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from experiments.config.config_file import write_config
from experiments.config.naming import identity_of, run_directory, run_name
from experiments.config.parsing import flatten
from experiments.config.schema import Config
from experiments.config.stages import in_words
from experiments.launch.lineage import current_stage, lineage_of, take_over
from experiments.launch.prepare import prepare
from experiments.launch.ranks import Ranks
from experiments.launch.volumes import changed_data
from experiments.reporting.mlflow_sync import MlflowSync, RunIdentity
from experiments.reporting.point_summary import score_line, settings_shown
from experiments.reporting.progress import share_done
from experiments.reporting.provenance import provenance
from experiments.reporting.redaction import redacted
from experiments.reporting.run_files import RunDirectory
from experiments.reporting.terminal import PointBar, Terminal
from experiments.sweep.outcome import STAGE_DONE, Outcome, conclude, send_outcome
from ffn_core import metric_names as names
from ffn_core.devices.host import room_for_ranks
from ffn_core.errors import InputError, in_one_line
from ffn_core.exit_codes import EXIT_STOPPED
from ffn_core.files import folder_of
from ffn_core.runtime import absolute_uri

STOP_GRACE_S = 120.0
"""How long ranks may take to finish a step and save when they are asked to stop."""

LOOK_EVERY_S = 0.5
"""How often the files of a run are read while its ranks work."""


class Point:
    """One run on its way: `start` it, `poll` it until it has an outcome.

    Nothing here waits for ranks, so that one thread can look after many points. Whatever goes
    wrong with a point becomes its outcome.

    Attributes:
        config: the run.
        name: what it is called.
        run_dir: its directory.
        attempt: 1, 2, ... where it has failed before.
        outcome: how it ended; None before.
        share_before: share of its budget that was done when it was started here.
    """

    def __init__(
        self,
        config: Config,
        terminal: Terminal,
        parent: str | None = None,
        attempt: int = 1,
        ranks: int | None = None,
        stage: int | None = None,
    ) -> None:
        """Nothing is started or written yet.

        Args:
            config: the run.
            terminal: where progress is shown.
            parent: MLflow run of the sweep, empty if it could not be made; None for a run of its
                own, of which nothing is left where its input is found bad before the start.
            attempt: 1, 2, ... where it has failed before.
            ranks: how many to start where ``config`` leaves that open; None for as many as fit.
            stage: index of the only one to be carried out here; None for all of a run's stages.
        """
        self.config = config
        self.attempt = attempt
        self._ranks_given = ranks
        self._only_stage = stage
        self._cores = room_for_ranks(config.device) if ranks is None else ranks
        self._started = config.each_stage()[0].on(self._cores)
        self.name = run_name(config)
        self.run_dir = run_directory(config)
        self._files = RunDirectory(self.run_dir)
        self.outcome: Outcome | None = None
        self.share_before: float | None = None
        self._terminal = terminal
        self._parent = parent
        self._lock: int | None = None
        self._sync: MlflowSync | None = None
        self._bar: PointBar | None = None
        self._ranks: Ranks | None = None
        self._prepared: Config | None = None
        self._stage_done = ""
        self._stopping = False
        self._deadline = float("inf")
        self._next_look = 0.0

    def again(self) -> Point:
        """Another attempt at it."""
        given = self._ranks_given, self._only_stage
        return Point(self.config, self._terminal, self._parent, self.attempt + 1, *given)

    def start(self, interruptible: Callable[[], AbstractContextManager[None]]) -> None:
        """Prepare data and start the ranks, unless the run is complete.

        Args:
            interruptible: within its context Ctrl-C raises KeyboardInterrupt; preparing data may
                take long, and is given up then.
        """
        with self._failing_alone():
            if done := self._files.result():
                before, score = f"{done['outcome']} before", score_line(done.get("score"))
                self._end(Outcome(self.name, self.run_dir, "skipped", before, score))
                return
            prepared = None
            if self._parent is None:
                with interruptible():
                    prepared = prepare(self._started, self._terminal.warn)
            self._lock_directory()
            if said := take_over(self.config, self.run_dir):
                self._terminal.say(f"{self.name}: {said}")
            self._start_sync()
            if prepared is None:
                with interruptible():
                    prepared = prepare(self._started, self._terminal.warn)
            self._prepared = prepared
            for spec in changed_data(self.run_dir, prepared):
                self._terminal.warn(
                    f"{self.name}: files of {spec} have changed since this run began; it continues"
                    " with them as they are now"
                )
            with suppress(InputError):  # a damaged one is replaced when the run continues
                self.share_before = share_done(self._files.progress())
            self._bar = self._terminal.bar(self.name)
            if self._is_done_with_stage():
                self._end(self._conclusion())
            else:
                self._start_ranks()

    @property
    def share(self) -> float | None:
        """Share of its budget that is done; None while that is not known."""
        return None if self._bar is None else self._bar.progress.share

    def poll(self) -> Outcome | None:
        """See how far it is, and show and send that; the outcome once it is over."""
        if self.outcome is None:
            with self._failing_alone():
                if self._is_over():
                    self._end(self._conclusion())
        return self.outcome

    def _start_ranks(self) -> None:
        """Start the ranks of the run, or of the stage that it is in."""
        assert self._prepared is not None
        config = self._prepared
        if config.stages:
            config = config.in_stage(current_stage(config, self.run_dir)).on(self._cores)
        write_config(self.run_dir, config)
        self._ranks = Ranks(config, self.run_dir)

    def _is_done_with_stage(self) -> bool:
        """Whether there is nothing to do here as the only stage to be carried out has ended."""
        if self._only_stage is None:
            return False
        stage, stages = current_stage(self.config, self.run_dir), len(self.config.stages)
        if stage < self._only_stage:
            raise InputError(
                f"{self.run_dir} is in stage {stage + 1} of {stages}, and this job is for stage "
                f"{self._only_stage + 1}: repeat the training command, which submits what is left"
            )
        if stage > self._only_stage:
            self._stage_done = f"stage {self._only_stage + 1} of {stages}"
        return stage > self._only_stage

    def _conclusion(self) -> Outcome:
        if self._stage_done:
            return Outcome(self.name, self.run_dir, STAGE_DONE, self._stage_done)
        return conclude(self.name, self.run_dir)

    def stop(self) -> None:
        """Ask the ranks to save a checkpoint and end; they have `STOP_GRACE_S` for it."""
        self._stopping = True
        self._deadline = min(self._deadline, time.monotonic() + STOP_GRACE_S)
        if self.outcome is None:
            try:
                self._files.request_stop()
            except OSError:  # a full disk: then without a file, to those that are here
                if self._ranks is not None:
                    self._ranks.terminate()

    def terminate(self) -> None:
        """Send the ranks SIGTERM, and do not wait for them."""
        self._stopping = True
        self._deadline = 0.0
        if self._ranks is not None:
            self._ranks.terminate()

    def _lock_directory(self) -> None:
        """Lock the run directory for as long as this process works on it.

        Raises:
            InputError: another process has it.
        """
        with folder_of("runs_dir", self.config.runs_dir):
            self.run_dir.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self.run_dir, os.O_RDONLY)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"{self.run_dir} is being worked on by another command: wait for that to end"
            ) from None
        except OSError:
            pass  # a file system without locks
        self._files.forget_failure()
        self._files.withdraw_stop()

    def _start_sync(self) -> None:
        config, uri = self.config, absolute_uri(self.config.tracking.uri)
        identity = _run_identity(config, self._started, self._cores, self.run_dir, self._parent)
        self._sync = MlflowSync(uri, self.run_dir, identity)
        self._sync.restart()

    @contextmanager
    def _failing_alone(self) -> Iterator[None]:
        """Make an exception the outcome of this point."""
        try:
            yield
        except KeyboardInterrupt:
            if self._ranks is not None:
                raise
            self._end(conclude(self.name, self.run_dir))
        except (InputError, OSError) as error:
            self._end(Outcome(self.name, self.run_dir, "input", in_one_line(error)))
        except Exception as error:
            reason = {"message": str(error), "traceback": traceback.format_exc()}
            with suppress(OSError):  # which may be what went wrong
                self._files.write_failure(reason)
            self._end(Outcome(self.name, self.run_dir, "failed", str(error)))

    def _is_over(self) -> bool:
        """Whether the ranks have ended, or are no longer waited for; leaves a reason behind."""
        assert self._ranks is not None
        code, now = self._ranks.wait(0.0), time.monotonic()
        if code is None and now < self._deadline:
            if now >= self._next_look:
                self._next_look = now + LOOK_EVERY_S
                if self._files.failure().get("ends_run"):
                    self._deadline = min(self._deadline, now + STOP_GRACE_S)
                self._show()
            return False
        self._show()
        explained = self._files.finished or self._files.failure()
        if code == 0 and not explained and not self._stopping and self.config.stages:
            if self._is_done_with_stage():
                return True
            self._ranks.stop(grace_s=10.0)
            self._start_ranks()
            return False
        # A batch system may ask the ranks themselves to stop: then the launcher says so.
        if not explained and not self._stopping and code != EXIT_STOPPED:
            reason = {"message": self._ranks.died(), "traceback": self._ranks.log_tail(60)}
            self._files.write_failure(reason)
        return True

    def _show(self) -> None:
        assert self._sync is not None
        fresh = self._sync.poll()
        if self._bar is not None:
            with suppress(InputError):  # a damaged one is replaced within a second
                self._bar.update(self._files.progress(), fresh)

    def _end(self, outcome: Outcome) -> None:
        """Leave no process behind, complete the MLflow run, and keep the outcome."""
        if self._ranks is not None:
            self._ranks.stop(grace_s=10.0)
        bar, self._bar = self._bar, None
        if bar is not None:
            if outcome.outcome == "finished":
                bar.complete()
            bar.close()
        if self._sync is not None and not send_outcome(self._sync, outcome):
            self._terminal.warn(
                f"MLflow did not take everything of this run ({self._sync.error}); nothing is "
                f"lost, send it later with: python -m experiments.import_runs {self.run_dir}"
            )
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        self.outcome = outcome


def _run_identity(
    given: Config, config: Config, cores: int, run_dir: Path, parent: str | None
) -> RunIdentity:
    """What MLflow is to show of the run that the user has ``given``, started as ``config``.

    Of a run in stages, parameters are those of the first.
    """
    values = dataclasses.asdict(config)
    del values["tracking"], values["sweep"], values["budget"], values["stage"]
    values["stages"] = in_words(config.stages)
    lineage = lineage_of(run_dir)
    values["continue_from"] = lineage.recipe if lineage and config.continue_from else "none"
    for ramp in ("warmup", "cooldown"):
        values["learning_rate"][ramp] = str(getattr(config.learning_rate, ramp))
    params = flatten(redacted(values))
    params[names.RATE_PEAK] = config.learning_rate.peak(config.cluster.nodes)
    params[names.BUDGET] = str(config.budget)
    emulated = any(each.on(cores).cluster.group.emulated for each in config.each_stage())
    facts = provenance()
    RunDirectory(run_dir).write_provenance(facts)
    tags = {
        names.KIND: names.POINT,
        names.IDENTITY: identity_of(run_dir),
        names.RUN_DIR: str(run_dir),
        names.RANKS_GIVEN: str(bool(given.cluster.ranks)).lower(),
        names.EMULATED: str(emulated).lower(),
        names.PARALLEL_POINTS: str(config.sweep.parallel),
        names.SOURCE: "experiments.train",
        names.COMMIT: facts["git.commit"],
    }
    tags |= settings_shown(params, emulated)
    tags |= {key: facts[key] for key in ("host.name", "host.cpu", "version.tensorflow")}
    if job_id := os.environ.get("SLURM_JOB_ID"):
        tags[names.SLURM_JOB] = job_id
    experiment, name = config.tracking.experiment, run_name(config)
    earlier = None if lineage is None else asdict(lineage)
    return RunIdentity(experiment, name, params, tags, parent, earlier)
