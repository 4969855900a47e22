"""The published network on the published volume: proof that all conventions are those it knows."""

import pytest

from experiments.config.parsing import from_dict
from experiments.config.schema import Config
from experiments.data.dataset import canvas_sources
from experiments.launch.prepare import prepare
from ffn_core.model import ConvStack, load_published_checkpoint
from ffn_core.runtime import cpu_flags, native_bfloat16
from ffn_core.scores.validation import Score, evaluate, held_out_canvases
from ffn_core.training.train_step import TrainStep

CANVASES = 3


@pytest.fixture(scope="module")
def config(shared_dir, tmp_path_factory):
    sample = shared_dir / "data/fib25/training_sample2"
    checkpoint = shared_dir / "models/fib25/model.ckpt-27465036"
    return prepare(
        from_dict(
            Config,
            {
                "data": {
                    "name": "fib25",
                    "kind": "files",
                    "image": f"{sample}/grayscale_maps.h5:raw",
                    "labels": f"{sample}/groundtruth.h5:stack",
                    "min_object_voxels": 10000,
                    "mean": 128.0,
                    "stddev": 33.0,
                    "cache_dir": str(tmp_path_factory.mktemp("data")),
                },
                "model": {
                    "name": "paper",
                    "fov_zyx": [33, 33, 33],
                    "deltas_zyx": [8, 8, 8],
                    "depth": 12,
                    "features": 32,
                    "checkpoint": str(checkpoint),
                },
                "budget": {"steps": 1},
                "validation": {"canvases": 0},
                "movement": {"shuffle": False},
            },
        )
    )


def flooded(config, precision: str, canvases: int) -> Score:
    """Score of the published network, in a precision, on the first canvases of a fixed list."""
    size, weights = load_published_checkpoint(config.model.checkpoint)
    model = ConvStack(size, seed=0, precision=precision)
    model.assign(weights)
    step = TrainStep(model, None, lambda total: total, 1, 1, None)
    source, _ = canvas_sources(config)
    chosen = held_out_canvases([source], 3, range(canvases))
    return evaluate(step.predict, chosen, 1, config.seed_values.move_logit)


def test_canvases_at_balanced_coordinates_are_filled_without_any_training(config):
    """F1 above 0.9; wrong normalization, axis order, seed or movement each bring it far below."""
    score = flooded(config, "float32", CANVASES)
    assert score.published.canvases == CANVASES
    assert score.published.f1 > 0.9


def test_bfloat16_fills_them_as_well(config):
    """F1 within 0.005 of that in float32, over one canvas where bfloat16 is emulated."""
    canvases = CANVASES if native_bfloat16(cpu_flags()) else 1
    exact, rounded = (flooded(config, precision, canvases) for precision in ("float32", "bfloat16"))
    assert rounded.published.f1 == pytest.approx(exact.published.f1, abs=0.005)
    assert rounded.loss_sum != exact.loss_sum, "the same to the last bit: nothing was rounded"
