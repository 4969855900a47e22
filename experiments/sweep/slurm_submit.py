"""A point handed to Slurm, to be carried out later by `experiments.sweep.slurm_job`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from experiments.config.config_file import write_config
from experiments.config.naming import run_directory, run_name
from experiments.config.schema import Config
from experiments.launch import slurm
from experiments.launch.lineage import current_stage
from experiments.launch.prepare import prepare
from experiments.launch.slurm import FOLDER, JobState, add_job, after, jobs, newest_jobs
from experiments.reporting.run_files import RunDirectory
from experiments.sweep.outcome import Outcome
from ffn_core.files import whole_file, writing
from ffn_core.runtime import absolute_uri


def submit_point(config: Config, parent: str | None) -> Outcome:
    """Submit a point unless it is finished or in the queue already.

    A run in stages is a job per stage, each on its own number of nodes and waiting for the one
    before. Of those, only what is missing is submitted.

    Everything a job needs is written to the run directory's ``job`` folder; data are prepared here,
    once, rather than by several jobs at a time.

    Raises:
        InputError: for bad input, or a job that Slurm does not take.
    """
    run_dir, name = run_directory(config), run_name(config)
    run = RunDirectory(run_dir)
    if done := run.result():
        return Outcome(name, run_dir, "skipped", f"{done['outcome']} before")
    known, stages = newest_jobs(run_dir), len(config.stages) or 1
    states = slurm.states(list(known.values())) if known else {}
    active = [stage for stage, job_id in known.items() if is_active(states.get(job_id))]
    first = current_stage(config, run_dir) if config.stages else 0
    kept, missing = left_to_submit(stages, first, active)
    if not missing:  # the first runs, or all wait for it
        job_id = known[kept[0]]
        return Outcome(name, run_dir, "submitted", f"job {job_id} is {states[job_id].state}")
    prepare(config)
    folder = run_dir / FOLDER
    with writing(run_dir):
        folder.mkdir(parents=True, exist_ok=True)
        run.logs.mkdir(exist_ok=True)
    run.forget_failure()
    # The store by its absolute name: a job's environment may name another one.
    uri = absolute_uri(config.tracking.uri)
    write_config(folder, replace(config, tracking=replace(config.tracking, uri=uri)), private=True)
    chain = {stage: known[stage] for stage in kept}
    made = jobs(config, name, run_dir, Path.cwd(), parent)
    for stage in missing:
        with whole_file(folder / made[stage].script_name) as partial:
            partial.write_text(made[stage].script)
        command = made[stage].command
        if chain:
            command = after(command, chain[max(chain)])
        job_id = slurm.submit(command)
        add_job(run_dir, job_id, command, stage, chain)
        chain[stage] = job_id
    submitted = [chain[stage] for stage in missing]
    said = f"job {submitted[0]}" if len(submitted) == 1 else f"jobs {', '.join(submitted)}"
    if kept:
        said += f", after job {chain[kept[-1]]}"
    return Outcome(name, run_dir, "submitted", said)


def left_to_submit(stages: int, first: int, active: Collection[int]) -> tuple[list[int], list[int]]:
    """Stages whose jobs will do, and those that need one, each in their order. Pure.

    Slurm takes a job out of the queue when one that it waits for ends badly, so that a job counts
    only where all of the stages before it are done or have one that counts.

    Args:
        stages: how many the run has.
        first: index of the one that it continues with.
        active: indices of those whose newest job waits or runs. That of a stage before ``first``
            has trained it to its end, and is about to end too.
    """
    stage = min([first, *active])
    kept = []
    while stage in active:
        kept.append(stage)
        stage += 1
    return kept, list(range(max(stage, first), stages))


def is_active(state: JobState | None) -> bool:
    """Whether a job of this state will run or end by itself; None: Slurm does not know it."""
    return state is not None and state.active
