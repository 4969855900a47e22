import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ffn_core.inference.joining import join, renumber


def groups(edges, strengths, owners) -> list[int]:
    pairs = np.array(edges, np.int64).reshape(-1, 2)
    return join(pairs, np.array(strengths, float), np.array(owners)).tolist()


def test_a_chain_becomes_one_group():
    assert groups([(0, 2), (2, 3)], [1, 1], [0, 0, 1, 2]) == [0, 1, 0, 0]


def test_a_closed_cycle_is_one_group():
    assert groups([(0, 1), (1, 2), (2, 3), (3, 0)], [1] * 4, [0, 1, 2, 3]) == [0] * 4


def test_the_weakest_link_of_a_cycle_to_another_object_breaks():
    """Around four subvolumes, from object 0 of the first back to its object 1."""
    cycle, owners = [(0, 2), (2, 3), (3, 4), (4, 1)], [0, 0, 1, 2, 3]
    assert groups(cycle, [0.9, 0.5, 0.8, 0.7], owners) == [0, 1, 0, 1, 1]
    assert groups(cycle, [0.9, 0.6, 0.8, 0.5], owners) == [0, 1, 0, 0, 0]


def test_without_edges_everything_stays_apart():
    assert groups([], [], [0, 0, 1]) == [0, 1, 2]
    assert groups([], [], []) == []


@given(st.integers(0, 10_000))
def test_a_group_has_one_node_of_an_owner_and_maximal_edges(seed):
    rng = np.random.default_rng(seed)
    owners = rng.integers(0, 5, 12)
    pairs, strengths = rng.integers(0, 12, (14, 2)), rng.random(14)
    group = join(pairs, strengths, owners)
    assert len({*zip(group, owners, strict=True)}) == 12
    for a, b in pairs:  # an edge was left out only for a reason
        if group[a] != group[b]:
            assert set(owners[group == group[a]]) & set(owners[group == group[b]])


def test_names_are_numbered_as_they_come():
    assert renumber(np.array([7, 3, 7, 9])).tolist() == [0, 1, 0, 2]
