"""Hour-ahead commitment of fast units: the last look before real time at what may be started within minutes.

Before every hour the market of the next hours is solved as a small unit commitment, from where the grid
stands: units that do not start fast keep their day-ahead commitment, fast ones are free. A start then pays
for itself over its minimum run, which five-minute dispatches, one by one, cannot see.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from federates.cases.case import TransmissionCase
from federates.core.arrays import BoolArray, FloatArray, IntArray
from federates.core.curve import NetCurve
from federates.iso.day_ahead import DayBids
from federates.iso.market import CURVE_SLOTS
from federates.iso.network import market_network
from federates.iso.offers import FUELLED, fast_start
from federates.iso.reserves import NetReserves, nested_rules
from federates.iso.scuc import Scuc
from federates.iso.unit_state import UnitState
from federates.lp.solution import SearchBudget

HOURS = 3
"""Hours looked at; only the first is binding."""
GAP = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class HourAheadInputs:
    """What the ISO expects of the next hours; time is the first axis, of length ``HOURS``."""

    load_mw: FloatArray
    """Load outside LDAs, losses left out, shape (hours, buses). [MW]"""
    available_mw: FloatArray
    """Greatest output, shape (hours, units). [MW]"""
    inflow_mw: FloatArray
    """Natural inflow of stores, shape (hours, units). [MW]"""
    required_mw: FloatArray
    """Reserve requirements, shape (hours, requirements). [MW]"""
    must_take: BoolArray
    """Shape (units,)."""
    committed: BoolArray
    """Day-ahead commitment, shape (hours, units)."""
    state: UnitState
    """Where the units stand."""


class HourAheadMarket:
    """Commitment of fast units for the next hour.

    Parameters
    ----------
    case
        The transmission system.
    lda_bus
        Bus of each LDA, shape (ldas,).
    with_reserves
        Whether reserves are bought.
    """

    def __init__(self, case: TransmissionCase, lda_bus: IntArray, *, with_reserves: bool) -> None:
        network = market_network(case)
        self._units = case.units
        self._free: BoolArray = fast_start(case.units)
        self._with_reserves = with_reserves
        self._scuc = Scuc(
            network,
            case.units,
            hours=HOURS,
            curve_bus=lda_bus,
            curve_slots=np.full(lda_bus.size, CURVE_SLOTS, dtype=np.int64),
            rules=nested_rules(network.region) if with_reserves else None,
            losses=True,
        )

    def commit(
        self, inputs: HourAheadInputs, curves: list[NetCurve], net_reserves: NetReserves | None = None
    ) -> BoolArray:
        """Commitment of all units in the next hour, shape (units,): the day-ahead one, fast units anew.

        Parameters
        ----------
        curves
            The LDAs' latest net curves, taken to hold over the hours.
        net_reserves
            Reserve that they offer, taken to hold alike.
        """
        bids = DayBids(
            demand_mw=inputs.load_mw,
            available_mw=inputs.available_mw,
            must_take=inputs.must_take,
            inflow_mw=inputs.inflow_mw,
            required_mw=inputs.required_mw if self._with_reserves else np.zeros(0),
            curves=tuple((curve,) * HOURS for curve in curves),
            net_reserves=(net_reserves,) * HOURS if self._with_reserves and net_reserves else (),
        )
        held = self._units.of_kind(*FUELLED) & ~self._free
        state = self._reachable(inputs)
        found = self._scuc.commit(
            bids, state, SearchBudget(gap=GAP), held=np.where(held, inputs.committed, False), which=held
        )
        first: BoolArray = np.where(self._free, found.commitment[0], inputs.committed[0])
        return first

    def _reachable(self, inputs: HourAheadInputs) -> UnitState:
        """State from which the day-ahead commitment of slow units can go on.

        Real time lets a unit stop from any output and keeps no minimum times of its own; where the schedule
        starts or stops a slow unit now, it is taken to have stood long enough, at an output from which it
        may.
        """
        state, first = inputs.state, inputs.committed[0]
        held = self._units.of_kind(*FUELLED) & ~self._free
        hour_mw = 60.0 * self._units.ramp_mw_per_min
        stopping = held & state.on & ~first
        most = np.maximum(self._units.p_min_mw, np.minimum(hour_mw, self._units.p_max_mw))
        output = np.where(state.on, np.maximum(state.output_mw, self._units.p_min_mw), 0.0)
        output = np.minimum(output, self._units.p_max_mw)
        return UnitState(
            on=state.on,
            in_state_h=np.where(held, 1e3, state.in_state_h),
            output_mw=np.where(stopping, np.minimum(output, most), output),
            energy_mwh=state.energy_mwh,
        )
