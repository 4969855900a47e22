"""What is asked of a prediction: the time and money allowed, and what a node costs. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ffn_core.errors import InputError


@dataclass(frozen=True)
class Question:
    """What is allowed.

    Attributes:
        most_nodes: largest node count considered.
        hours: time allowed; None for any.
        price: of one node-hour; None where money does not matter.
        currency: of the price, such as EUR; may be empty.
        budget: money allowed, in that currency; None for any.
    """

    most_nodes: int
    hours: float | None = None
    price: float | None = None
    currency: str = ""
    budget: float | None = None

    def __post_init__(self) -> None:
        """Refuse a budget without a price.

        Raises:
            InputError: nothing says what a node-hour costs.
        """
        if self.budget is not None and not self.price:
            raise InputError(
                f"--budget {self.budget:g} needs the price of a node-hour above 0: add --price"
            )

    @property
    def node_hours(self) -> float:
        """What the budget pays for; infinite without one."""
        return self.budget / self.price if self.budget and self.price else math.inf

    def cost(self, node_hours: float) -> str:
        """What so many node-hours cost, in words; empty where there is no price."""
        return "" if self.price is None else self.money(self.price * node_hours)

    def money(self, amount: float) -> str:
        """An amount with its currency."""
        written = f"{amount:,.2f}" if amount >= 1 else f"{amount:.2g}"
        return f"{written} {self.currency}".rstrip()
