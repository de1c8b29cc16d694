"""Reserve that a total DSO has offered and sold, from the bid to the end of the interval."""

from __future__ import annotations

import numpy as np

from federates.core.arrays import FloatArray
from federates.core.curve import NetCurve
from federates.core.messages import InterfaceAward, ReserveSignal
from federates.core.protocol import State
from federates.core.reserve_offer import DSO_PRODUCTS, DURATION_H, ReserveOffer, asked_mw
from federates.dso.reserve import CalledStates, StoreRoom
from federates.dso.statements import HeldReserve, held_reserve, no_reserve
from federates.dso.total import BidInputs, PreparedBid, TotalDso

HOUR_S = 3_600
PREFIX = "reserve_"
"""Of the names of saved arrays."""
NO_SIGNAL = ReserveSignal(step_s=-1, regulation=0.0, call=0.0, capacity=0.0)


class SoldReserve:
    """One interval's states to which the area can be called, made with its bid and kept for its award."""

    def __init__(self) -> None:
        self._room: StoreRoom | None = None
        self._hours = 0.0
        self._waiting: CalledStates | None = None
        self._running: CalledStates | None = None
        self._awarded_mw: FloatArray = np.zeros(len(DSO_PRODUCTS))
        self._usd_per_mw_h: FloatArray = np.zeros(len(DSO_PRODUCTS))

    def offer(
        self,
        dso: TotalDso,
        bid: tuple[BidInputs, PreparedBid, NetCurve],
        *,
        room: StoreRoom,
        ahead_s: int,
        sigma: float,
    ) -> ReserveOffer:
        """What is offered with a bid.

        Parameters
        ----------
        bid
            Inputs, the bid made from them, and the curve that is sent of it.
        room
            By which the stores may move for it.
        ahead_s
            From now to the interval's end. [s]
        sigma
            Standard deviation of the forecast's error, relative.
        """
        inputs, prepared, sent = bid
        self._room, self._hours = room, ahead_s / HOUR_S + DURATION_H
        self._waiting = dso.called(inputs, prepared, room, self._hours)
        return dso.reserve(inputs, prepared, sent, self._waiting, sigma)

    def forget(self) -> None:
        """The engine is a new one: the states that wait for an award are to be made again."""
        self._waiting = None

    def begin(
        self, dso: TotalDso, inputs: BidInputs, prepared: PreparedBid, award: InterfaceAward, sets: int
    ) -> None:
        """Take up an award for ``sets`` simulated sets."""
        if award.reserve_mw.size:
            self._awarded_mw = award.reserve_mw / sets
            self._usd_per_mw_h = award.reserve_usd_per_mw_h
        if self._waiting is None and self._room is not None:
            self._waiting = dso.called(inputs, prepared, self._room, self._hours)
        self._running, self._waiting = self._waiting, None

    def wanted_mw(self, award_mw: float, signal: ReserveSignal) -> float:
        """Net import that the ISO wants of one simulated set: the award, less reserve that is asked for."""
        return award_mw - asked_mw(self._awarded_mw, signal.regulation, signal.call)

    def held(self, dso: TotalDso, award_kw: FloatArray) -> HeldReserve:
        """Which DERs hold what is awarded, at the award's set-points of shape (ders,). [kW]"""
        if self._running is None:
            return no_reserve(award_kw.size)
        least, greatest = (dso.twin.joined(at.p_kw) for at in (self._running.least, self._running.greatest))
        return held_reserve(self._awarded_mw, self._usd_per_mw_h, least - award_kw, award_kw - greatest)

    def called_kw(self, dso: TotalDso, start_kw: FloatArray, start_mw: float, wanted_mw: float) -> FloatArray:
        """Set-points of one import, moved to what is wanted, shape (ders,). [kW]"""
        if self._running is None or wanted_mw == start_mw:
            return start_kw
        return dso.called_kw(start_kw, start_mw, wanted_mw, self._running)

    def save(self) -> State:
        """What the states of a bid that waits are made from."""
        state = {f"{PREFIX}awarded_mw": self._awarded_mw}
        if self._room is not None:
            state |= {
                f"{PREFIX}spare_kwh": self._room.spare_kwh,
                f"{PREFIX}free_kwh": self._room.free_kwh,
                f"{PREFIX}hours": np.array([self._hours]),
            }
        return state

    def restore(self, state: State) -> None:
        """Take up a saved state."""
        self._awarded_mw = state[f"{PREFIX}awarded_mw"].copy()
        if f"{PREFIX}hours" in state:
            self._room = StoreRoom(
                spare_kwh=state[f"{PREFIX}spare_kwh"].copy(), free_kwh=state[f"{PREFIX}free_kwh"].copy()
            )
            self._hours = float(state[f"{PREFIX}hours"][0])
