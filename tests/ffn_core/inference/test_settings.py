import pytest

from ffn_core.errors import InputError
from ffn_core.inference.settings import FloodSettings
from ffn_core.seed import logit


def test_defaults_are_the_published_ones():
    settings = FloodSettings()
    assert (settings.seed_values.init, settings.seed_values.pad) == (0.95, 0.05)
    assert (settings.seed_values.move, settings.segment) == (0.9, 0.6)
    assert settings.min_segment_size == 1000
    assert settings.segment_logit == logit(0.6)


@pytest.mark.parametrize(
    "values", [{"segment": 1.0}, {"min_segment_size": 0}, {"min_boundary_dist_zyx": (1, -1, 1)}]
)
def test_values_that_cannot_work(values):
    with pytest.raises(InputError, match="flood"):
        FloodSettings(**values)
