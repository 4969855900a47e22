import subprocess
import sys

from experiments.benchmarks.memory import largest_memory, memory_of

MEGABYTES = 80
HOLD = f"block = bytearray({MEGABYTES} * 2**20); print(flush=True); input()"


def test_the_largest_memory_is_that_of_processes_with_the_word():
    command = [sys.executable, "-c", HOLD, "counted"]
    with largest_memory("counted", every_s=0.01) as largest:
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            seen = memory_of("counted")
            assert memory_of("another word") == (0, 0)
            process.communicate(b"\n")
        assert memory_of("counted") == (0, 0)
    # What it shares with others, its libraries, counts in full for the resident size only.
    assert MEGABYTES * 2**20 < seen.proportional <= seen.resident < 2 * MEGABYTES * 2**20
    assert largest().proportional > 0
