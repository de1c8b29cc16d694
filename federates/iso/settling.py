"""The ISO's settlement as it goes along: clearings and meters in, statement lines and accounts out.

Every market interval is settled once its meters are in. Statement lines are closed every hour, for either
market; make-whole payments every market day, with the accounts. A study that begins or ends within an hour or
a day settles what of it lies in the study: of such a day it may hold a unit's start without the hours that
would have paid for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np

from federates.cases.case import TransmissionCase, Units
from federates.core.arrays import BoolArray, FloatArray
from federates.core.errors import MissingInputError
from federates.core.ledger import ROUNDING, Line
from federates.core.messages import IntervalMeters
from federates.core.protocol import State
from federates.core.tables import ACCOUNT, SETTLEMENT, Recorder
from federates.core.time import Clock, SimTime
from federates.iso import ledger
from federates.iso.capacity import CapacityBook
from federates.iso.ledger import Booked, book, book_capacity, book_make_whole
from federates.iso.make_whole import DAY_AHEAD, MARKETS, REAL_TIME, Operation, RunState, UnitBooks, starts_usd
from federates.iso.offers import FUELLED
from federates.iso.participants import Dispatched, Participants, Place
from federates.iso.settlement import (
    Market,
    Metered,
    Proceeds,
    meter_gap_mwh,
    settle_day_ahead,
    settle_real_time,
)

HOUR_S = 3_600
RUNS_MW = 1e-6
"""Output above which a unit runs. [MW]"""
LEAST_MWH = 1e-9
"""Quantity below which a line without an amount is not written. [MWh]"""
PREFIX = "settlement"
"""Of the names of saved arrays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DaySchedule:
    """A day-ahead clearing, hour by hour."""

    markets: tuple[Market, ...]
    """One per hour."""
    reserve_cost_usd_per_h: FloatArray
    """What each unit asked for its reserve awards, shape (hours, units). [$/h]"""
    on: BoolArray
    """Whether each fuelled unit is committed, shape (hours, units)."""
    before: RunState
    """Where the units stand before the day."""

    def state(self, hour: int) -> RunState:
        """Where the units stand before an hour."""
        state = self.before
        for on in self.on[:hour]:
            state = state.after(on, 1.0)
        return state


@dataclass(frozen=True, slots=True, kw_only=True)
class _Interval:
    """A cleared interval that waits for its meters."""

    begin_s: SimTime
    market: Market
    reserve_cost_usd_per_h: FloatArray
    """What each unit asked for its reserve awards, shape (units,). [$/h]"""
    on: BoolArray
    """Whether each fuelled unit is synchronised, shape (units,)."""
    out: BoolArray
    """Whether each unit is out, shape (units,)."""


@dataclass(slots=True, kw_only=True)
class _Tally:
    """What has been settled of one market since the hour and the day began."""

    hour: Proceeds | None = None
    account: FloatArray = field(default_factory=lambda: np.zeros(len(ACCOUNT.columns)))


class Settlement:
    """Settles interval by interval.

    Parameters
    ----------
    case
        The transmission system.
    ldas, aggregators
        Name and bus of each LDA, and of each aggregator with awards of its own, in wiring order.
    clock
        The study's time grid.
    recorder
        Takes the tables `SETTLEMENT` and `ACCOUNT`.
    products
        Names of the reserve products.
    capacity
        What is bought of capacity; None: none is.
    """

    def __init__(
        self,
        case: TransmissionCase,
        ldas: Sequence[Place],
        aggregators: Sequence[Place],
        clock: Clock,
        recorder: Recorder,
        products: tuple[str, ...] = (),
        capacity: CapacityBook | None = None,
    ) -> None:
        self._capacity = capacity
        self._units: Units = case.units
        self._fuelled = case.units.of_kind(*FUELLED)
        self._who = Participants(case, ldas, aggregators, products)
        self._clock = clock
        self._recorder = recorder
        self._days: dict[int, DaySchedule] = {}
        self._open: _Interval | None = None
        self._run: RunState | None = None
        self._begin_day()

    def _begin_day(self) -> None:
        self._tally = {market: _Tally() for market in MARKETS}
        self._books = UnitBooks(self._units, self._fuelled)
        self._hour_drawn_mwh = np.zeros(self._who.count)
        self._day_drawn_mwh = np.zeros(self._who.count)
        self._gap_mwh = 0.0

    def day_ahead(self, day: int, hours: Sequence[Dispatched], on: BoolArray, before: RunState) -> None:
        """Take the clearing of a market day.

        Parameters
        ----------
        day
            The market day.
        hours
            One per hour.
        on
            Commitment, shape (hours, units).
        before
            Where the units stand before the day.
        """
        self._days[day] = DaySchedule(
            markets=tuple(self._who.market(hour) for hour in hours),
            reserve_cost_usd_per_h=np.stack([self._reserve_cost_usd_per_h(hour) for hour in hours]),
            on=on & self._fuelled,
            before=before,
        )

    def real_time(self, now: SimTime, cleared: Dispatched, on: BoolArray, out: BoolArray) -> None:
        """Take the clearing of the interval that begins now.

        Parameters
        ----------
        on, out
            Whether each unit is synchronised, and whether it is out, shape (units,).
        """
        self._open = _Interval(
            begin_s=now,
            market=self._who.market(cleared),
            reserve_cost_usd_per_h=self._reserve_cost_usd_per_h(cleared),
            on=on & self._fuelled,
            out=out,
        )

    def _reserve_cost_usd_per_h(self, cleared: Dispatched) -> FloatArray:
        if cleared.reserves is None:
            return np.zeros(len(self._units.ids))
        return cleared.reserves.unit_cost_usd_per_h

    def settle(self, read: IntervalMeters, der_mwh: FloatArray, out: BoolArray) -> None:
        """Settle the open interval with its meters; close the hour and the day where it ends one.

        Parameters
        ----------
        read
            Meters of the grid.
        der_mwh
            Energy that the DERs of each aggregator injected, shape (aggregators,). [MWh]
        out
            Whether each unit is out as the interval ends, shape (units,).

        Raises
        ------
        MissingInputError
            If the meters are those of another interval.
        """
        interval = self._open
        if interval is None or read.interval_s != interval.begin_s:
            cleared = "none" if interval is None else f"{interval.begin_s} s"
            raise MissingInputError(
                f"iso: meters of the interval at {read.interval_s} s, but the one to settle is {cleared}"
            )
        begin, end = interval.begin_s, interval.begin_s + self._clock.market_s
        day = self._clock.day_of(begin)
        midnight = self._clock.midnight(day)
        hour = (begin - midnight) // HOUR_S
        metered = self._who.metered(read, der_mwh)
        self._settle(interval, self._days[day], hour, metered, interval.out | out)
        self._hour_drawn_mwh = self._hour_drawn_mwh + self._who.drawn_mwh(read)
        if self._capacity is not None:
            self._capacity.meter(begin, read.interchange_mwh)
        over = end >= self._clock.duration_s
        if over or (end - midnight) % HOUR_S == 0:
            self._close_hour(midnight + hour * HOUR_S)
        if over or end == self._clock.midnight(day + 1):
            self._close_day(day)

    def _settle(
        self, interval: _Interval, schedule: DaySchedule, hour: int, metered: Metered, out: BoolArray
    ) -> None:
        length_h = self._clock.market_s / HOUR_S
        places, forward = self._who.places, schedule.markets[hour]
        paid = {
            DAY_AHEAD: settle_day_ahead(places, forward, length_h),
            REAL_TIME: settle_real_time(places, forward, interval.market, metered, length_h),
        }
        for market, proceeds in paid.items():
            tally = self._tally[market]
            tally.hour = proceeds if tally.hour is None else tally.hour + proceeds
        self._gap_mwh += meter_gap_mwh(metered)
        self._book_units(interval, schedule, hour, metered, out, paid)

    def _book_units(
        self,
        interval: _Interval,
        schedule: DaySchedule,
        hour: int,
        metered: Metered,
        out: BoolArray,
        paid: dict[str, Proceeds],
    ) -> None:
        """Take down one interval's offer cost and revenue of the units."""
        of, length_h = self._who.units, self._clock.market_s / HOUR_S
        first = (interval.begin_s - self._clock.day_start_s) % HOUR_S == 0
        before = schedule.state(hour if first else hour + 1)
        run = self._run or before
        output_mw = metered.injection_mwh[of] / length_h
        scheduled = Operation(
            output_mw=schedule.markets[hour].injection_mw[of],
            on=schedule.on[hour],
            reserve_cost_usd_per_h=schedule.reserve_cost_usd_per_h[hour],
            starts_usd=starts_usd(self._units, before, schedule.on[hour]),
        )
        on = np.where(out, run.on, interval.on)
        incurred = Operation(
            output_mw=output_mw,
            on=self._fuelled & (interval.on | (output_mw > RUNS_MW)),
            reserve_cost_usd_per_h=interval.reserve_cost_usd_per_h,
            starts_usd=starts_usd(self._units, run, on),
        )
        self._run = run.after(on, length_h)
        forward, spot = (
            paid[market].energy_usd[of] + paid[market].reserve_usd[of].sum(axis=1) for market in MARKETS
        )
        self._books.add_day_ahead(scheduled, forward, length_h)
        self._books.add_real_time(scheduled, incurred, spot, length_h, out)

    def _close_hour(self, begin: SimTime) -> None:
        for market, tally in self._tally.items():
            assert tally.hour is not None
            takers = tuple(range(self._who.count)[self._who.takers])
            booked = book(tally.hour, self._who.products, self._hour_drawn_mwh, takers)
            self._record(begin, market, booked)
            tally.hour = None
        self._day_drawn_mwh = self._day_drawn_mwh + self._hour_drawn_mwh
        self._hour_drawn_mwh = np.zeros(self._who.count)

    def _close_day(self, day: int) -> None:
        midnight = self._clock.midnight(day)
        for market in MARKETS:
            paid = np.zeros(self._who.count)
            paid[self._who.units] = self._books.make_whole_usd(market)
            self._record(midnight, market, book_make_whole(paid, self._day_drawn_mwh))
        if self._capacity is not None:
            self._settle_capacity(day, self._capacity)
        self._tally[REAL_TIME].account[-1] = self._gap_mwh
        columns = np.stack([tally.account for tally in self._tally.values()], axis=1)
        self._recorder.add(ACCOUNT, midnight, MARKETS, *columns)
        del self._days[day]
        self._begin_day()

    def _settle_capacity(self, day: int, book: CapacityBook) -> None:
        """Pay what was held of capacity, and charge what was called and not delivered."""
        settled = book.close(day)
        for market, item, quantity_mwh, usd in (
            (DAY_AHEAD, "capacity", settled.held_mwh, settled.paid_usd),
            (REAL_TIME, "capacity_shortfall", -settled.short_mwh, -settled.charged_usd),
        ):
            quantity, paid = np.zeros(self._who.count), np.zeros(self._who.count)
            quantity[self._who.ldas], paid[self._who.ldas] = quantity_mwh, usd
            booked = book_capacity(item, quantity, paid, self._day_drawn_mwh)
            self._record(self._clock.midnight(day), market, booked)

    def _record(self, begin: SimTime, market: str, booked: Booked) -> None:
        """Write statement lines, and add to the day's account."""
        self._tally[market].account += self._account(booked)
        for line in booked.lines:
            self._record_line(begin, market, line)

    def _record_line(self, begin: SimTime, market: str, line: Line) -> None:
        told = np.flatnonzero((np.abs(line.quantity_mwh) > LEAST_MWH) | (line.amount_usd != 0.0))
        ids = tuple(f"{self._who.names[k]}/{market}/{line.item}" for k in told)
        columns = (line.quantity_mwh, line.price_usd_per_mwh, line.amount_usd)
        self._recorder.add(SETTLEMENT, begin, ids, *(column[told] for column in columns))

    def _account(self, booked: Booked) -> FloatArray:
        """What books add to a row of the table `ACCOUNT`; the gap of the meters is added with the day."""
        held, who = booked.accounts_usd, self._who
        paid = {name: float(booked.energy_usd[part].sum()) for name, part in who.groups.items()}
        row = (
            -paid["load"],
            -paid["lda"],
            paid["unit"],
            paid["der"],
            -held[ledger.RESERVE],
            held[ledger.CONGESTION],
            held[ledger.LOSS],
            -held[ledger.LOSS_DIFFERENCE],
            held[ledger.IMBALANCE],
            -held[ledger.CAP],
            -held[ledger.MAKE_WHOLE],
            -held[ledger.CAPACITY],
            held[ROUNDING],
            held[ledger.UNEXPLAINED],
            0.0,
        )
        return np.array(row)

    def save(self) -> State:
        """What goes on at a market-day boundary: days cleared ahead, and since when units run."""
        state: dict[str, FloatArray] = {}
        for day, schedule in self._days.items():
            name = f"{PREFIX}_{day}"
            state |= {
                f"{name}_on": schedule.on.astype(np.float64),
                f"{name}_before": _packed(schedule.before),
                f"{name}_reserve_cost": schedule.reserve_cost_usd_per_h,
            }
            for f in fields(Market):
                state[f"{name}_market_{f.name}"] = np.stack([getattr(m, f.name) for m in schedule.markets])
        if self._run is not None:
            state[f"{PREFIX}_run"] = _packed(self._run)
        return state

    def restore(self, state: State) -> None:
        """Take up a saved state."""
        if f"{PREFIX}_run" in state:
            self._run = _unpacked(state[f"{PREFIX}_run"])
        days = [n.split("_")[1] for n in state if n.startswith(PREFIX) and n.endswith("_on")]
        for day in days:
            name = f"{PREFIX}_{day}"
            stacked = {f.name: state[f"{name}_market_{f.name}"] for f in fields(Market)}
            on = state[f"{name}_on"] > 0.5
            self._days[int(day)] = DaySchedule(
                markets=tuple(Market(**{k: v[h] for k, v in stacked.items()}) for h in range(len(on))),
                reserve_cost_usd_per_h=state[f"{name}_reserve_cost"],
                on=on,
                before=_unpacked(state[f"{name}_before"]),
            )


def _packed(run: RunState) -> FloatArray:
    return np.stack((run.on.astype(np.float64), run.in_state_h))


def _unpacked(packed: FloatArray) -> RunState:
    return RunState(on=packed[0] > 0.5, in_state_h=packed[1])
