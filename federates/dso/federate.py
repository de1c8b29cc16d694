"""The DSO as a federate: its role decides what it does, and when."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from federates.coordination.catalog import MODELS
from federates.core.context import Context
from federates.core.protocol import Grant, Offset, Outbox, Phase, State
from federates.core.time import Cadence, SimTime
from federates.dso.roles.envelopes import Envelopes
from federates.dso.roles.feeder_model import FeederModelRole
from federates.dso.roles.inflexible_demand import InflexibleDemand
from federates.dso.roles.net_demand import NetDemand
from federates.dso.roles.override import Override
from federates.dso.roles.reactive_demand import ReactiveDemand
from federates.dso.roles.total import TotalDsoRole
from federates.dso.settling import LdaSettlement
from federates.dso.statements import AreaPrices
from federates.scenario.lda import LdaScenario

SETTLE_OFFSET_S = 48


class Role(Protocol):
    """What a DSO does under a coordination model."""

    scenario: LdaScenario

    def prices(self, grant: Grant, interval: SimTime) -> AreaPrices:
        """At which the market interval that has just ended is settled."""

    @property
    def phases(self) -> Mapping[Offset, Phase]:
        """Second within the step -> what is done then."""

    def save(self) -> State:
        """State at a market-day boundary."""

    def restore(self, state: State) -> None:
        """Take up a saved state."""


ROLES: dict[str, Callable[[Context], Role]] = {
    "net_demand": NetDemand,
    "reactive_demand": ReactiveDemand,
    "inflexible_demand": InflexibleDemand,
    "override": Override,
    "envelopes": Envelopes,
    "feeder_model": FeederModelRole,
    "total": TotalDsoRole,
}
"""Roles by key."""


class Dso:
    """A DSO in its role, which settles its customers and DERs under any."""

    def __init__(self, role: Role, settlement: LdaSettlement) -> None:
        self._role = role
        self._settlement = settlement

    @property
    def phases(self) -> Mapping[Offset, Phase]:
        """The role's, and the settlement of every market interval."""
        return {SETTLE_OFFSET_S: Phase(Cadence.SETTLE, self._settlement.settle), **self._role.phases}

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


def build(context: Context) -> Dso:
    """DSO federate of an LDA, in the role of the study's coordination model."""
    role = ROLES[MODELS[context.study.coordination].dso_role](context)
    return Dso(role, LdaSettlement(context, role.scenario, role))
