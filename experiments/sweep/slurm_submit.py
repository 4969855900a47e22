"""A point handed to Slurm, to be carried out later by `experiments.sweep.slurm_job`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from experiments.config.config_file import write_config
from experiments.config.naming import run_directory, run_name
from experiments.config.schema import Config
from experiments.launch import slurm
from experiments.launch.lineage import current_stage
from experiments.launch.prepare import prepare
from experiments.launch.slurm import FOLDER, add_job, after, job_ids, jobs
from experiments.reporting.run_files import RunDirectory
from experiments.sweep.outcome import Outcome
from ffn_core.files import whole_file, writing
from ffn_core.runtime import absolute_uri


def submit_point(config: Config, parent: str | None) -> Outcome:
    """Submit a point unless it is finished or in the queue already.

    A run in stages is a job per stage, each on its own number of nodes and waiting for the one
    before.

    Everything a job needs is written to the run directory's ``job`` folder; data are prepared here,
    once, rather than by several jobs at a time.

    Raises:
        InputError: for bad input, or a job that Slurm does not take.
    """
    run_dir, name = run_directory(config), run_name(config)
    run = RunDirectory(run_dir)
    if done := run.result():
        return Outcome(name, run_dir, "skipped", f"{done['outcome']} before")
    earlier = job_ids(run_dir)
    if earlier:
        state = slurm.states(earlier[-1:]).get(earlier[-1])
        if state is not None and state.active:
            return Outcome(name, run_dir, "submitted", f"job {earlier[-1]} is {state.state}")
    prepare(config)
    folder = run_dir / FOLDER
    with writing(run_dir):
        folder.mkdir(parents=True, exist_ok=True)
        run.logs.mkdir(exist_ok=True)
    run.forget_failure()
    # The store by its absolute name: a job's environment may name another one.
    uri = absolute_uri(config.tracking.uri)
    write_config(folder, replace(config, tracking=replace(config.tracking, uri=uri)), private=True)
    first = current_stage(config, run_dir) if config.stages else 0
    submitted: list[str] = []
    for made in jobs(config, name, run_dir, Path.cwd(), parent)[first:]:
        with whole_file(folder / made.script_name) as partial:
            partial.write_text(made.script)
        job_id = slurm.submit(after(made.command, submitted[-1]) if submitted else made.command)
        add_job(run_dir, job_id, made.command)
        submitted.append(job_id)
    said = f"job {submitted[0]}" if len(submitted) == 1 else f"jobs {', '.join(submitted)}"
    return Outcome(name, run_dir, "submitted", said)
