"""The options of the benchmark besides those of its runs: typed, validated, free of Hydra."""

from __future__ import annotations

from dataclasses import dataclass, field

from ffn_core.errors import InputError

WEAK, STRONG = "weak", "strong"
MODES = (WEAK, STRONG, "both")
RECORDS_PER_RUN = 10
"""Records of each run. They are equally long, so that a mean over them is one over steps."""


@dataclass(frozen=True)
class ThroughputConfig:
    """What to measure; see ``conf/throughput.yaml``."""

    ranks: list[int] = field(default_factory=lambda: [1, 2])
    mode: str = "both"
    repeats: int = 3
    steps: int = 200
    coupling: bool = True
    peak: bool = True
    timeline: bool = False

    def __post_init__(self) -> None:
        if not self.ranks or min(self.ranks) < 1 or len(set(self.ranks)) != len(self.ranks):
            raise InputError(
                f"throughput.ranks={self.ranks} must be different counts of at least 1, as [1,2]"
            )
        if self.mode not in MODES:
            raise InputError(
                f"throughput.mode={self.mode!r} is unknown; choose from {', '.join(MODES)}"
            )
        if self.repeats < 1:
            raise InputError(f"throughput.repeats={self.repeats} must be at least 1")
        if self.steps < 2 * RECORDS_PER_RUN or self.steps % RECORDS_PER_RUN:
            raise InputError(
                f"throughput.steps={self.steps} must be a multiple of {RECORDS_PER_RUN}, "
                f"{2 * RECORDS_PER_RUN} or more"
            )

    @property
    def modes(self) -> list[str]:
        """``weak``, ``strong`` or both."""
        return [WEAK, STRONG] if self.mode == "both" else [self.mode]
