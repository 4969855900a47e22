import math

import pandas as pd

from analysis.batch_size import tradeoff_table


def test_tradeoff_counts_a_missed_target_as_more_expensive():
    def rows(nodes, fovs):
        return [
            {"nodes": nodes, "target": 0.7, "fovs": f, "elapsed_s": f / 10, "optimizer_step": f / 2}
            for f in fovs
        ]

    table = tradeoff_table(
        pd.DataFrame(
            rows(1, [10.0, 30.0, 20.0])
            + rows(2, [10.0, 30.0, math.nan])
            + rows(4, [10.0, math.nan, math.nan])
        )
    ).set_index("nodes")
    assert table["reached"].tolist() == [3, 2, 1]
    assert table.loc[1, ["fovs", "elapsed_s", "optimizer_step"]].tolist() == [20, 2, 10]
    assert table.loc[1, ["fovs_low", "fovs_high"]].tolist() == [10, 30]
    assert table.loc[2, "fovs"] == 30
    assert math.isnan(table.loc[2, "fovs_low"])
    assert math.isnan(table.loc[4, "fovs"])
