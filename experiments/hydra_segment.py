"""The Hydra side of the segmentation commands."""

from __future__ import annotations

from collections.abc import Callable

from omegaconf import MISSING, DictConfig

from experiments.hydra_compose import run_app, store_schema, to_typed
from experiments.segment_schema import SegmentConfig


def run_segment_app(task: Callable[[SegmentConfig], object]) -> int:
    """Run ``task`` on what the command line makes of ``conf/segment.yaml``; returns exit code."""
    store_schema("segment_schema", SegmentConfig(checkpoint=MISSING))

    def on_composed(composed: DictConfig) -> None:
        task(to_typed(composed, SegmentConfig))

    return run_app(on_composed, "segment")
