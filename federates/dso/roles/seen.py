"""What several roles of a DSO share: telemetry, what is expected from it, bids, and what they record."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from federates.core import tables
from federates.core.curve import NetCurve, bid_of
from federates.core.errors import MissingInputError
from federates.core.messages import InterfaceBid, Telemetry
from federates.core.ports import DsoPorts
from federates.core.protocol import Grant, Received
from federates.core.reserve_offer import ReserveOffer, with_reserve
from federates.core.settings import Study
from federates.core.tables import Recorder
from federates.core.time import SimTime
from federates.der.model import FleetState, initial_state
from federates.dso.twin import Conditions, Twin
from federates.scenario.lda import ExpectedLda, LdaScenario
from federates.scenario.staleness import held_by_link_loss

KW_PER_MW = 1_000.0
HOUR_S = 3_600


def telemetry(ports: DsoPorts, grant: Grant, name: str) -> Received[Telemetry]:
    """Latest telemetry, and when it was sent.

    Raises
    ------
    MissingInputError
        If none has come yet.
    """
    got = grant.inbox.only(ports.telemetry)
    if got is None:
        raise MissingInputError(f"{name} at {grant.now} s: no telemetry from its feeders yet")
    return got


def settled_lmp(ports: DsoPorts, grant: Grant, who: tuple[Study, str], interval: SimTime) -> float:
    """Real-time LMP at which an interval is settled: its award's, or the last one's where a link is lost.

    Raises
    ------
    MissingInputError
        If there is none, or another without a reason.
    """
    study, name = who
    got = grant.inbox.only(ports.awards)
    if got is None or (
        got.message.interval_s != interval and not held_by_link_loss(study, "iso", name, got.sent_s, interval)
    ):
        raise MissingInputError(f"{name} at {grant.now} s: no award of {interval} s, by whose LMP to settle")
    return float(got.message.lmp_usd_per_mwh[0])


def seen_state(seen: Telemetry) -> FleetState:
    """State of the DERs as their meters show it."""
    return FleetState(energy_kwh=seen.soc_mwh * KW_PER_MW, p_kw=seen.der_p_mw * KW_PER_MW)


def state_before(ports: DsoPorts, grant: Grant, day: int, scenario: LdaScenario) -> FleetState:
    """State expected of the DERs when a day begins: the initial one, later what they have now."""
    got = grant.inbox.only(ports.telemetry)
    if day == 0 or got is None:
        return initial_state(scenario.fleet)
    return seen_state(got.message)


def settle_idle(twin: Twin, scenario: LdaScenario, first: ExpectedLda, state: FleetState) -> None:
    """Put a twin's regulators where they rest in a day's first hour while nobody uses DERs' flexibility.

    The voltage decides on what loads draw, so that the taps of a day-ahead bid have to be the same under
    every coordination model.
    """
    twin.set_conditions(conditions(first, 1.0))
    idle = scenario.idle_kw(first, state)
    twin.settle(idle, np.zeros(idle.size))


def conditions(expected: ExpectedLda, v_pu: float) -> Conditions:
    """Conditions of one interval of a forecast."""
    return Conditions(v_pu=v_pu, demand_kw=expected.demand_kw, demand_kvar=expected.demand_kvar)


def interface_bid(
    curves: list[NetCurve],
    interval_s: SimTime,
    length_s: int,
    multiplicity: int,
    reserve: Sequence[ReserveOffer] = (),
) -> InterfaceBid:
    """Bid of the whole LDA from curves of one simulated set, and its reserve offers, if it has any."""
    factor = float(multiplicity)
    bid = bid_of([curve.scaled(factor).rounded() for curve in curves], interval_s, length_s)
    return with_reserve(bid, [offer.scaled(factor) for offer in reserve]) if reserve else bid


def record_collapses(recorder: Recorder, name: str, t: SimTime, what: str, count: int) -> None:
    """An event for states of something at which the twin of a DSO collapsed, if there were any."""
    if count:
        text = f"infeasible: states of {what} at which the twin collapses, dropped"
        recorder.add(tables.EVENT, t, (name,), [float(count)], text=[text])
