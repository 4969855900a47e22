import pytest

from ffn_core.errors import InputError
from ffn_core.training.node_group import NodeGroup


def test_contiguous_blocks():
    group = NodeGroup(nodes=12, ranks=3)
    assert group.common_nodes == 4
    assert [list(group.nodes_of(rank)) for rank in range(3)] == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9, 10, 11],
    ]
    assert group.emulated


def test_blocks_of_uneven_size_cover_every_node_once():
    group = NodeGroup(nodes=8, ranks=3, uneven=True)
    assert [list(group.nodes_of(rank)) for rank in range(3)] == [[0, 1, 2], [3, 4, 5], [6, 7]]
    assert group.common_nodes == 1
    assert NodeGroup(nodes=8, ranks=4, uneven=True).common_nodes == 2


def test_no_rank_is_left_without_a_node():
    with pytest.raises(InputError, match=r"cluster\.ranks=3 is more than cluster\.nodes=2"):
        NodeGroup(nodes=2, ranks=3, uneven=True)


def test_one_node_a_rank_is_not_emulated():
    assert not NodeGroup(nodes=4, ranks=4).emulated
    assert not NodeGroup(nodes=1, ranks=1).emulated
    assert list(NodeGroup(nodes=4, ranks=4).nodes_of(3)) == [3]


@pytest.mark.parametrize(("nodes", "ranks"), [(0, 1), (1, 0), (-2, 1)])
def test_at_least_one(nodes, ranks):
    with pytest.raises(InputError, match=f"nodes={nodes} and cluster.ranks={ranks} must be"):
        NodeGroup(nodes, ranks)


@pytest.mark.parametrize(("nodes", "ranks"), [(6, 4), (2, 4)])
def test_ranks_must_divide_nodes(nodes, ranks):
    with pytest.raises(
        InputError, match=f"nodes={nodes} is not divisible by cluster.ranks={ranks}"
    ):
        NodeGroup(nodes, ranks)
