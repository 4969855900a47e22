"""Whether the volumes of a run that is continued are still those it began with."""

from __future__ import annotations

from pathlib import Path

from experiments.config.schema import Config
from experiments.reporting import run_files
from ffn_core.volumes import state_of


def changed_data(run_dir: Path, config: Config) -> list[str]:
    """Compare files of a prepared config's volumes with those that the run began with.

    What was not known of the run before is kept in its directory. Of volumes on servers nothing is
    known.

    Returns:
        Names of volumes whose files have another size or time since.
    """
    volumes = [*config.validation.volumes]
    if config.data.kind != "dummy":
        volumes += config.data.sources
    names = ((v.image, v.labels, v.mask, v.labels_mask) for v in volumes)
    specs = {spec for each in names for spec in each if spec}
    now = {spec: state_of(spec) for spec in sorted(specs)}
    path = run_dir / run_files.INPUTS
    known: dict[str, str] = run_files.read_json(path) or {}
    if now.keys() - known.keys():
        run_files.write_json(path, now | known)
    return [spec for spec, state in now.items() if known.get(spec, state) != state]
