"""What every role of a DSO reads: telemetry, and the conditions that it expects from it."""

from __future__ import annotations

import numpy as np

from federates.core.arrays import FloatArray
from federates.core.context import Context
from federates.core.curve import NetCurve, bid_of
from federates.core.errors import MissingInputError
from federates.core.messages import InterfaceBid, Telemetry
from federates.core.ports import DsoPorts
from federates.core.protocol import Grant
from federates.core.time import SimTime
from federates.dso.twin import Conditions, Twin
from federates.scenario.lda import ExpectedLda, LdaScenario

KW_PER_MW = 1_000.0
HOUR_S = 3_600


def telemetry(ports: DsoPorts, grant: Grant, name: str) -> Telemetry:
    """Latest telemetry.

    Raises
    ------
    MissingInputError
        If none has come yet.
    """
    got = grant.inbox.only(ports.telemetry)
    if got is None:
        raise MissingInputError(f"{name} at {grant.now} s: no telemetry from its feeders yet")
    return got.message


def conditions(expected: ExpectedLda, v_pu: float) -> Conditions:
    """Conditions of one interval of a forecast."""
    return Conditions(v_pu=v_pu, demand_kw=expected.demand_kw, demand_kvar=expected.demand_kvar)


def interface_bid(
    curves: list[NetCurve], interval_s: SimTime, length_s: int, multiplicity: int
) -> InterfaceBid:
    """Bid of the whole LDA from curves of one simulated set."""
    return bid_of([curve.scaled(float(multiplicity)).rounded() for curve in curves], interval_s, length_s)


class FixedQuantity:
    """Bids of a DSO that coordinates nobody: one quantity per interval."""

    def __init__(self, context: Context) -> None:
        self.ports = DsoPorts()
        self.name = context.name
        self.clock = context.clock
        self.scenario = LdaScenario(context.study, context.lda.name)
        self.multiplicity = context.lda.multiplicity
        self.twin = Twin(self.scenario)

    def interface_mw(
        self, expected: ExpectedLda, v_pu: float, p_kw: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
    ) -> float:
        """What the twin draws at DER injections. [MW]"""
        self.twin.set_conditions(conditions(expected, v_pu))
        return self.twin.solve(p_kw, np.zeros(p_kw.size)).interface_mw

    def expected_soc_kwh(self, grant: Grant, day: int) -> FloatArray:
        """Energy expected in the stores when a day begins: the initial charge, later what they hold now."""
        got = grant.inbox.only(self.ports.telemetry)
        if day == 0 or got is None:
            return self.scenario.fleet.initial_kwh.copy()
        return got.message.soc_mwh * KW_PER_MW
