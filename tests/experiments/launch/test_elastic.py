import socket

import pytest

from experiments.config.naming import identity
from experiments.config.parsing import from_dict
from experiments.config.schema import Config
from experiments.launch.elastic import local_hosts
from experiments.launch.launchers import rank_command
from ffn_core.errors import InputError


def config(**sections) -> Config:
    model = {"name": "m", "fov_zyx": [7] * 3, "deltas_zyx": [2] * 3, "depth": 2, "features": 4}
    values = {"data": {"name": "synthetic"}, "model": model, "budget": {"steps": 1}}
    return from_dict(Config, values | sections)


def test_each_local_rank_is_a_host_of_its_own_on_this_machine():
    names = [host.partition(":")[0] for host in local_hosts(4).split(",")]
    assert len(set(names)) == 4
    assert {socket.gethostbyname(name) for name in names} == {"127.0.0.1"}


def test_the_command_names_hosts_limits_and_ban(tmp_path):
    cluster = {"nodes": 7, "ranks": 3, "elastic": True, "min_ranks": 2, "readmit_after_s": 30}
    command = rank_command(config(cluster=cluster), tmp_path)
    text = " ".join(command)
    assert "--min-np 2 --max-np 3 --blacklist-cooldown-range 15 3600" in text
    assert "-H 127.0.0.1:1,127.0.0.01:1,127.0.0.001:1 --network-interface lo" in text
    hosts = {"name": "gloo", "hosts": "a:1,b:1,c:1"}
    remote = " ".join(rank_command(config(cluster=cluster, launcher=hosts), tmp_path))
    assert "-H a:1,b:1,c:1" in remote
    assert "--network-interface" not in remote
    secret = {"name": "gloo", "environment": {"API_KEY": "planted"}}
    kept = " ".join(rank_command(config(cluster=cluster, launcher=secret), tmp_path))
    assert "planted" not in kept


@pytest.mark.parametrize(
    ("cluster", "launcher", "problem"),
    [
        ({"ranks": 2}, "mpi", "needs launcher=gloo, not mpi"),
        ({"ranks": 1}, "gloo", "cluster.ranks=1 of at least 2"),
        ({"ranks": 2, "min_ranks": 3}, "gloo", "cluster.min_ranks=3 of 1 to that many"),
    ],
)
def test_what_cannot_be_elastic_is_named(cluster, launcher, problem, tmp_path):
    cluster = {"nodes": 4, "elastic": True} | cluster
    with pytest.raises(InputError, match=problem):
        rank_command(config(cluster=cluster, launcher={"name": launcher}), tmp_path)


def test_how_faults_are_met_does_not_make_another_run():
    plain = config(cluster={"nodes": 4, "ranks": 2})
    elastic = {"nodes": 4, "ranks": 2, "elastic": True, "stall_timeout_s": 5, "readmit_after_s": 9}
    assert identity(config(cluster=elastic)) == identity(plain)


def test_the_same_run_on_other_ranks():
    run = config(cluster={"nodes": 7, "ranks": 3, "elastic": True})
    assert [len(run.with_ranks(2).cluster.group.nodes_of(rank)) for rank in range(2)] == [4, 3]


def test_without_elastic_nodes_are_still_dealt_out_evenly():
    with pytest.raises(InputError, match="not divisible"):
        _ = config(cluster={"nodes": 7, "ranks": 3}).cluster.group
