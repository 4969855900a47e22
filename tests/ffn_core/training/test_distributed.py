"""Ranks meet, or say why they cannot, before Gloo ends in a segmentation fault."""

import socket

import pytest

from ffn_core.errors import InputError
from ffn_core.training import distributed

UNKNOWN = "nowhere-node17.invalid"  # a name that no resolver may know (RFC 2606)


@pytest.fixture
def nameless(monkeypatch):
    """This machine under a name that does not resolve, in no launcher's hands."""
    monkeypatch.setattr(socket, "gethostname", lambda: UNKNOWN)
    for name in distributed._STARTED:
        monkeypatch.delenv(name, raising=False)


def test_ranks_on_a_machine_that_does_not_know_its_name_say_what_to_change(nameless):
    with pytest.raises(InputError, match=rf"{UNKNOWN}.*/etc/hosts"):
        distributed.start(2)


def test_a_single_rank_needs_no_name(nameless):
    collectives = distributed.start(1)
    assert collectives.alone
    assert collectives.gather("a") == ["a"]
    distributed.stop()
