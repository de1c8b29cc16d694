"""Capacity of total DSOs as the ISO buys, meters and settles it.

It has a price and a target in the study. What is offered is bought up to the target, in proportion to the
offers. When it is called, a DSO delivers what its import stays below the baseline of its offer, interval by
interval and up to what is called; what is missing is charged at a price of the study. The energy market knows
of a call by the bids: a DSO then bids for no more import than the call leaves it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from federates.core.arrays import FloatArray
from federates.core.commitment import called_share, committed_intervals
from federates.core.errors import CodecError
from federates.core.messages import InterfaceBid
from federates.core.protocol import State
from federates.core.settings import CapacitySettings, EventSettings
from federates.core.tables import CAPACITY, CAPACITY_INTERVAL, Recorder
from federates.core.time import Clock, SimTime

HOUR_S = 3_600
KW_PER_MW = 1_000.0
PREFIX = "capacity"
"""Of the names of saved arrays."""


def bought_mw(offered_mw: FloatArray, target_mw: float) -> FloatArray:
    """What is bought of each offer: all, or the target in proportion to them, shape (ldas,). [MW]"""
    total = float(offered_mw.sum())
    return offered_mw if total <= target_mw else offered_mw * (target_mw / total)


def delivered_mwh(
    baseline_mw: FloatArray, called_mw: FloatArray, import_mwh: FloatArray, length_h: float
) -> FloatArray:
    """What an interval's import is below the baseline, none or up to what is called, any shape. [MWh]"""
    delivered: FloatArray = np.clip(length_h * baseline_mw - import_mwh, 0.0, length_h * called_mw)
    return delivered


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledCapacity:
    """One day's capacity, shape (ldas,) each."""

    held_mwh: FloatArray
    """Award times the time of its commitment in the study. [MWh]"""
    paid_usd: FloatArray
    """For holding it. [$]"""
    short_mwh: FloatArray
    """Called and not delivered. [MWh]"""
    charged_usd: FloatArray
    """For that. [$]"""


@dataclass(slots=True, kw_only=True)
class _Day:
    """A day's awards, and what has come of them."""

    offered_mw: FloatArray
    award_mw: FloatArray
    """Shape (ldas,). [MW]"""
    baseline_mw: FloatArray
    """Shape (intervals, ldas). [MW]"""
    called_mwh: FloatArray
    delivered_mwh: FloatArray
    """Shape (ldas,). [MWh]"""


class CapacityBook:
    """Awards of capacity, what is called of them, delivered and owed.

    Parameters
    ----------
    settings
        What is bought, and at which prices.
    events
        Of the study; calls among them.
    ldas
        Names of the LDAs.
    clock
        The study's time grid.
    recorder
        Takes the tables `CAPACITY` and `CAPACITY_INTERVAL`.
    """

    def __init__(
        self,
        settings: CapacitySettings,
        events: Sequence[EventSettings],
        ldas: tuple[str, ...],
        clock: Clock,
        recorder: Recorder,
    ) -> None:
        self._settings, self._events = settings, events
        self._ldas, self._clock, self._recorder = ldas, clock, recorder
        self._days: dict[int, _Day] = {}

    def buy(self, day: int, bids: Sequence[InterfaceBid]) -> FloatArray:
        """Awards of a day to the bids of all LDAs, shape (ldas,). [MW]

        Raises
        ------
        CodecError
            If a bid offers capacity without a baseline for every interval of the commitment.
        """
        intervals = len(committed_intervals(self._settings, self._clock, day))
        offered, baseline = np.zeros(len(bids)), np.zeros((intervals, len(bids)))
        for place, bid in enumerate(bids):
            if not bid.capacity_mw.size:
                continue
            if bid.capacity_mw.size != 1 or bid.baseline_mw.size != intervals or bid.capacity_mw[0] < 0.0:
                what = f"{bid.capacity_mw.size} offers of capacity on {bid.baseline_mw.size} intervals"
                raise CodecError(
                    f"bid for {bid.interval_s} s of {self._ldas[place]}: {what}; send one, not negative, on "
                    f"the {intervals} intervals of its commitment"
                )
            offered[place], baseline[:, place] = bid.capacity_mw[0], bid.baseline_mw
        award = bought_mw(offered, self._settings.target_kw / KW_PER_MW)
        none = np.zeros(len(bids))
        self._days[day] = _Day(
            offered_mw=offered,
            award_mw=award,
            baseline_mw=baseline,
            called_mwh=none,
            delivered_mwh=none.copy(),
        )
        return award

    def called(self, interval: SimTime | None) -> float:
        """Part of the awards that is called in an interval; none of it in none."""
        return 0.0 if interval is None else called_share(self._events, "capacity", interval)

    def meter(self, interval: SimTime, import_mwh: FloatArray) -> None:
        """Take an interval's import of every LDA, shape (ldas,). [MWh]"""
        day = self._clock.day_of(interval)
        committed = committed_intervals(self._settings, self._clock, day)
        if interval not in committed:
            return
        mine, length_h = self._days[day], self._clock.market_s / HOUR_S
        baseline = mine.baseline_mw[committed.index(interval)]
        called = self.called(interval) * mine.award_mw
        delivered = delivered_mwh(baseline, called, import_mwh, length_h)
        mine.called_mwh = mine.called_mwh + length_h * called
        mine.delivered_mwh = mine.delivered_mwh + delivered
        self._recorder.add(
            CAPACITY_INTERVAL,
            interval,
            self._ldas,
            baseline,
            mine.award_mw,
            called,
            import_mwh / length_h,
            delivered / length_h,
        )

    def close(self, day: int) -> SettledCapacity:
        """Settle a day; the award is paid for the part of its commitment that lies in the study."""
        mine, terms = self._days.pop(day), self._settings
        held_s = len(committed_intervals(terms, self._clock, day)) * self._clock.market_s
        short = mine.called_mwh - mine.delivered_mwh
        settled = SettledCapacity(
            held_mwh=held_s / HOUR_S * mine.award_mw,
            paid_usd=held_s / terms.duration_s * terms.price_usd_per_mw * mine.award_mw,
            short_mwh=short,
            charged_usd=terms.shortfall_price_usd_per_mwh * short,
        )
        self._recorder.add(
            CAPACITY,
            self._clock.midnight(day),
            self._ldas,
            mine.offered_mw,
            mine.award_mw,
            mine.called_mwh,
            mine.delivered_mwh,
            settled.paid_usd,
            settled.charged_usd,
        )
        return settled

    def save(self) -> State:
        """What was bought for days that have not begun."""
        return {
            f"{PREFIX}_{day}_{name}": getattr(mine, f"{name}_mw")
            for day, mine in self._days.items()
            for name in ("offered", "award", "baseline")
        } | {f"{PREFIX}_days": np.array([float(day) for day in self._days])}

    def restore(self, state: State) -> None:
        """Take up a saved state."""
        none = np.zeros(len(self._ldas))
        for day in state[f"{PREFIX}_days"].astype(int).tolist():
            self._days[day] = _Day(
                offered_mw=state[f"{PREFIX}_{day}_offered"],
                award_mw=state[f"{PREFIX}_{day}_award"],
                baseline_mw=state[f"{PREFIX}_{day}_baseline"],
                called_mwh=none,
                delivered_mwh=none.copy(),
            )
