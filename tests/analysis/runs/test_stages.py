"""What runs in stages did."""

import pandas as pd

from analysis.runs.stages import is_staged, stage_table


def test_stretches_of_equal_batch():
    history = pd.DataFrame({"fovs": [400, 800, 1440, 2080], "optimizer_step": [100, 200, 210, 220]})
    assert stage_table(history).to_dict("list") == {"fovs": [800, 2080], "batch": [4, 64]}


def test_which_runs_are_in_stages():
    table = pd.DataFrame({"stages": ["none", None, "4 nodes 8 FOVs"]})
    assert is_staged(table).tolist() == [False, False, True]
    assert is_staged(table[[]]).tolist() == [False] * 3
