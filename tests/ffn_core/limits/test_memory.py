import json
from pathlib import Path

import pytest

from ffn_core.errors import InputError
from ffn_core.geometry import FovGeometry
from ffn_core.limits import memory
from ffn_core.limits.host import Host
from ffn_core.model_size import ModelSize

RECORDED = Path(__file__).parents[3] / "analysis/recorded/benchmark.json"
GIB = 2**30


def test_the_published_network_takes_what_was_measured():
    """The recorded peak of a rank of it, within a fifth."""
    claims = json.loads(RECORDED.read_text())["claims"]
    measured = next(c for c in claims if c["name"] == "paper: peak memory of a rank")["values"][0]
    size, geometry = ModelSize(12, 32), FovGeometry((33, 33, 33), (8, 8, 8))
    estimated = (
        memory.PROGRAM_BYTES
        + memory.SHARED_BYTES
        + memory.weights_bytes(size)
        + memory.training_bytes(size, geometry, 1)
    )
    assert estimated / GIB == pytest.approx(measured, rel=0.2)


def test_known_sizes():
    geometry = FovGeometry((7, 7, 7), (2, 2, 2))
    assert memory.canvases_bytes(geometry, 3) == 3 * 11**3 * 9
    assert memory.synthesis_bytes((10, 10, 10)) == 60_000
    # conv0_a 27*2*4+4, conv0_b 27*4*4+4, conv_lom 4+1
    assert memory.weights_bytes(ModelSize(1, 4)) == 40 * (220 + 436 + 5)
    assert memory.forward_bytes(ModelSize(1, 4), geometry, 2) == 4 * 2 * 343 * 4 * 4


def test_what_does_not_fit_is_one_line_with_the_option_that_takes_most(tmp_path):
    (tmp_path / "meminfo").write_text("MemAvailable: 1048576 kB\n")
    host, need = Host(tmp_path, tmp_path), {"the network (model.depth)": GIB, "volumes": 2 * GIB}
    memory.require_memory({"volumes": GIB}, "this run", host)
    said = (
        "^this run needs about 3.0 GiB of memory on this machine, which has 1.0 GiB free; "
        "2.0 GiB of it for volumes: make that smaller$"
    )
    with pytest.raises(InputError, match=said):
        memory.require_memory(need, "this run", host)
    assert memory.shortage(need, "this run", None) is None


@pytest.mark.parametrize(
    ("count", "words"),
    [(5, "5 bytes"), (1536, "1.5 KiB"), (250 * 2**20, "250 MiB"), (5 * 2**70, "5,120 EiB")],
)
def test_bytes_in_words(count, words):
    assert memory.in_words(count) == words
