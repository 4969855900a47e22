"""The options of `experiments.tune`: typed, validated, free of Hydra."""

from __future__ import annotations

from dataclasses import dataclass, field

from ffn_core.errors import InputError


@dataclass(frozen=True)
class TuneConfig:
    """What to try; see ``conf/tune.yaml``."""

    ranks: list[int] = field(default_factory=list)
    micro_batches: list[int] = field(default_factory=lambda: [1, 2, 4, 8, 16])
    repeats: int = 3
    block_s: float = 1.0

    def __post_init__(self) -> None:
        for name in ("ranks", "micro_batches"):
            values = getattr(self, name)
            if any(v < 1 for v in values) or len(set(values)) != len(values):
                raise InputError(f"tune.{name}={values} must be different counts of at least 1")
        if not self.micro_batches:
            raise InputError("tune.micro_batches=[] leaves nothing to try; give sizes, as [1,2,4]")
        if self.repeats < 1:
            raise InputError(f"tune.repeats={self.repeats} must be at least 1")
        if not self.block_s > 0:
            raise InputError(f"tune.block_s={self.block_s} must be seconds above 0")
