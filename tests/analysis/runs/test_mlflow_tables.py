import pandas as pd
from mlflow.tracking import MlflowClient

from analysis.runs import mlflow_reader, mlflow_tables


def test_a_server_is_read_call_by_call_to_the_same_history(store):
    client = MlflowClient(store)
    names = mlflow_reader._experiment_names(client)
    points = mlflow_reader._point_runs(client, list(names))
    by_query = mlflow_tables.history_by_query(store, list(names), points, None)
    by_client = mlflow_reader._history_by_client(client, points, None)
    order = ["run_id", "metric", "fovs", "value"]
    pd.testing.assert_frame_equal(
        by_query.astype(dict.fromkeys(order[:2], "str")).sort_values(order, ignore_index=True)[
            order
        ],
        by_client.sort_values(order, ignore_index=True)[order],
    )


def test_points_are_the_same_by_query_and_by_client(store):
    client = MlflowClient(store)
    experiments = list(mlflow_reader._experiment_names(client))
    by_client = mlflow_reader._point_runs(client, experiments)
    by_query = mlflow_tables.points_by_query(store, experiments)
    assert {run.run_id: (run.name, run.status, run.params, run.tags) for run in by_query} == {
        run.run_id: (run.name, run.status, run.params, run.tags) for run in by_client
    }
