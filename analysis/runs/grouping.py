"""Groups of a table by one column."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd


def groups(table: pd.DataFrame, column: str) -> Iterator[tuple[Any, pd.DataFrame]]:
    """(value, rows) for each value of a column, in the order of the values, as Python scalars.

    pandas types a group's key as any hashable; here it is what the column holds.
    """
    for key, rows in table.groupby(column):
        yield key.item() if hasattr(key, "item") else key, rows


def varies(values: pd.Series) -> bool:
    """Whether a column holds more than one value; missing counts as a value."""
    return len(values.unique()) > 1
