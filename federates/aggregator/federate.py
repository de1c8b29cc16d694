"""An aggregator as a federate: its role decides what it does, and when."""

from __future__ import annotations

from collections.abc import Mapping

from federates.aggregator.roles.offers import Offers
from federates.aggregator.roles.price_reactive import PriceReactive
from federates.aggregator.roles.self_consumption import SelfConsumption
from federates.coordination.catalog import MODELS
from federates.core.context import Context
from federates.core.protocol import Offset, Outbox, Phase, State

ROLES: dict[str, type[SelfConsumption] | type[PriceReactive] | type[Offers]] = {
    "self_consumption": SelfConsumption,
    "price_reactive": PriceReactive,
    "offers": Offers,
}
"""Roles by key."""


class Aggregator:
    """An aggregator in its role."""

    def __init__(self, role: SelfConsumption | PriceReactive | Offers) -> None:
        self._role = role

    @property
    def phases(self) -> Mapping[Offset, Phase]:
        """The role's."""
        return self._role.phases

    def start(self) -> Outbox:
        """Nothing is known yet."""
        return Outbox()

    def save(self) -> State:
        """The role's state."""
        return self._role.save()

    def restore(self, state: State) -> None:
        """Take up the role's state."""
        self._role.restore(state)

    def finish(self) -> None:
        """Nothing is left to do."""


def build(context: Context) -> Aggregator:
    """Aggregator federate, in the role of the study's coordination model."""
    return Aggregator(ROLES[MODELS[context.study.coordination].aggregator_role](context))
