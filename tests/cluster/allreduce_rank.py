"""One of two ranks that time allreduces: ``python allreduce_rank.py RANK FOLDER``.

The ranks find each other as under horovodrun, through its rendezvous server, which rank 0 runs;
its port is passed in FOLDER, where ``plan.json`` names rates of the link (megabits per second) and
sizes (bytes). Rank 0 leaves ``times.json``: seconds of every allreduce, by rate and size.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from linked_hosts import ADDRESSES, INTERFACE, limit

WARM_UP = 3
REPEATS = 15
PORT = "port"
PLAN = "plan.json"
TIMES = "times.json"


def rendezvous(rank: int, folder: Path) -> None:
    """Set the environment by which Horovod's ranks find each other; rank 0 serves."""
    path = folder / PORT
    if rank == 0:
        from horovod.runner.common.util.hosts import get_host_assignments, parse_hosts
        from horovod.runner.http.http_server import RendezvousServer

        server = RendezvousServer()
        port = server.start()
        server.init(get_host_assignments(parse_hosts(",".join(f"{a}:1" for a in ADDRESSES)), 2))
        partial = path.with_suffix(".part")
        partial.write_text(str(port))
        partial.replace(path)
    while not path.exists():
        time.sleep(0.05)
    os.environ |= {
        "HOROVOD_RANK": str(rank),
        "HOROVOD_SIZE": "2",
        "HOROVOD_LOCAL_RANK": "0",
        "HOROVOD_LOCAL_SIZE": "1",
        "HOROVOD_CROSS_RANK": str(rank),
        "HOROVOD_CROSS_SIZE": "2",
        "HOROVOD_HOSTNAME": ADDRESSES[rank],
        "HOROVOD_CONTROLLER": "gloo",
        "HOROVOD_CPU_OPERATIONS": "gloo",
        "HOROVOD_GLOO_RENDEZVOUS_ADDR": ADDRESSES[0],
        "HOROVOD_GLOO_RENDEZVOUS_PORT": path.read_text(),
        "HOROVOD_GLOO_IFACE": INTERFACE,
        "HOROVOD_CYCLE_TIME": "1",  # the shortest that runs have
    }


def measure(rates: list[float], sizes: list[int]) -> list[dict[int, list[float]]]:
    """Seconds of each allreduce of float32 buffers, as a training step does them, for each rate."""
    from ffn_core.runtime import configure_tensorflow

    configure_tensorflow(threads=1)
    import tensorflow as tf

    from ffn_core.training import distributed

    collectives = distributed.start(2)
    found = []
    for rate in rates:
        limit(rate)
        times: dict[int, list[float]] = {size: [] for size in sizes}
        for size in sizes:
            buffer = tf.random.stateless_normal([size // 4], [1, collectives.topology.rank])
            for i in range(WARM_UP + REPEATS):
                collectives.barrier()
                began = time.perf_counter()
                collectives.reduce_sum(buffer).numpy()
                if i >= WARM_UP:
                    times[size].append(time.perf_counter() - began)
        found.append(times)
    distributed.stop()
    return found


if __name__ == "__main__":
    own_rank, given = int(sys.argv[1]), Path(sys.argv[2])
    rendezvous(own_rank, given)
    measured = measure(**json.loads((given / PLAN).read_text()))
    if own_rank == 0:
        (given / TIMES).write_text(json.dumps(measured))
