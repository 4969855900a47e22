"""The recorded study: exporting runs to small files, reading them back.

Each study lies in a folder of its name: `runs.parquet` and `history.parquet` as
`analysis.runs.mlflow_reader.load_runs` returns them, and `provenance.json`.
"""
