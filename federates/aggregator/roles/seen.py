"""What every role of an aggregator reads: what its DERs report, and the prices of their bus."""

from __future__ import annotations

from federates.core.arrays import FloatArray
from federates.core.errors import MissingInputError
from federates.core.messages import DerState
from federates.core.ports import AggregatorPorts
from federates.core.protocol import Grant
from federates.core.time import SimTime
from federates.der.model import FleetState

KW_PER_MW = 1_000.0
HOUR_S = 3_600


def state_at(ports: AggregatorPorts, grant: Grant, name: str) -> DerState:
    """Latest report of the DERs.

    Raises
    ------
    MissingInputError
        If none has come yet.
    """
    got = grant.inbox.only(ports.der_state)
    if got is None:
        raise MissingInputError(f"{name} at {grant.now} s: its DERs have not reported yet")
    return got.message


def reported(seen: DerState) -> FleetState:
    """State as the DERs report it."""
    return FleetState(energy_kwh=seen.soc_mwh * KW_PER_MW, p_kw=seen.p_mw * KW_PER_MW)


def prices_of(ports: AggregatorPorts, grant: Grant) -> list[tuple[SimTime, FloatArray]]:
    """Day-ahead prices of the LDA's bus that have come since: their midnight, and 24 of them. [$/MWh]"""
    inbox = grant.inbox
    return [(m.interval_s, m.lmp_usd_per_mwh) for m in inbox.new(ports.prices).values()] + [
        (m.interval_s, m.price_usd_per_mwh) for m in inbox.new(ports.day_ahead_awards).values()
    ]
