"""DERs against the prices of their bus: what they expect, what their energy is worth then, what they do.

Read alike by aggregators, which offer or react, and by a DSO that foresees the reaction.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from federates.core.arrays import BoolArray, FloatArray, IntArray
from federates.core.errors import MissingInputError
from federates.core.protocol import State
from federates.core.time import SimTime
from federates.der.model import FleetState, Interval, initial_state
from federates.der.offer import PricePath
from federates.der.portfolio import Outlook, Portfolio, Within
from federates.der.storage_value import planned
from federates.der.store_day import PlannedLevels
from federates.scenario.lda import LdaScenario

HOUR_S = 3_600
KW_PER_MW = 1_000.0
HOURS = 24


class PriceTaking:
    """Some DERs of an LDA, and the day-ahead prices of its bus: the forecast of its real-time prices.

    Parameters
    ----------
    scenario
        The LDA.
    places
        The DERs, by their places in the fleet, ascending.
    counts_others
        Whether DERs that nobody directs count with what they are expected to inject by themselves, or not
        at all.
    """

    def __init__(self, scenario: LdaScenario, places: IntArray, *, counts_others: bool) -> None:
        self._scenario = scenario
        self._clock = scenario.study.clock
        self._places = places
        self._counts_others = counts_others
        chosen = np.zeros(len(scenario.fleet), dtype=np.bool_)
        chosen[places] = True
        self.portfolio = Portfolio(scenario.fleet.select(chosen))
        self._lmp: dict[int, FloatArray] = {}
        self._plan: dict[int, PlannedLevels] = {}

    def note(self, begin: SimTime, lmp_usd_per_mwh: FloatArray) -> None:
        """Take the prices of the 24 hours from ``begin`` on, a midnight."""
        day = self._clock.day_of(begin)
        self._lmp = {d: known for d, known in self._lmp.items() if d >= day - 1} | {day: lmp_usd_per_mwh}

    def note_plan(self, begin: SimTime, plan: PlannedLevels) -> None:
        """Take the plan of the stores from ``begin`` on, a midnight."""
        day = self._clock.day_of(begin)
        self._plan = {d: known for d, known in self._plan.items() if d >= day - 1} | {day: plan}

    def directed(self, now: SimTime) -> BoolArray:
        """Which of the DERs follow set-points at ``now``, shape (ders,)."""
        return self._scenario.directed(now)[self._places]

    def day(
        self,
        day: int,
        lmp_usd_per_mwh: FloatArray,
        state: FleetState,
        directed: BoolArray,
        within: Sequence[Within] | None = None,
    ) -> tuple[list[Outlook], PricePath]:
        """Outlooks of 24 hours, each from the state that following the prices before it leaves; the prices.

        Parameters
        ----------
        lmp_usd_per_mwh
            Expected, shape (24,). [$/MWh]
        state
            At the day's beginning.
        within
            Envelope of each hour; None: none is published.
        """
        issue = self._clock.day_ahead_issue(day)
        path = PricePath(
            price_usd_per_mwh=lmp_usd_per_mwh,
            length_h=np.ones(HOURS),
            terminal_usd_per_mwh=float(lmp_usd_per_mwh.mean()),
        )
        slopes = self._slopes(path, self._clock.midnight(day), issue)
        alone = np.zeros(self._places.size)
        outlooks = []
        for hour, expected in enumerate(self._scenario.expected_day(day, issue)):
            interval = expected.ders.of(self._places)
            outlook = self._outlook(
                interval,
                state,
                slopes[hour + 1],
                path.after(hour),
                directed,
                alone,
                None if within is None else within[hour],
            )
            outlooks.append(outlook)
            state = self.portfolio.follow(outlook, float(lmp_usd_per_mwh[hour]))
        return outlooks, path

    def day_kw(
        self, day: int, lmp_usd_per_mwh: FloatArray, state: FleetState, directed: BoolArray
    ) -> list[FloatArray]:
        """Injections in 24 hours of DERs that follow the prices of `day`, each of shape (ders,). [kW]"""
        outlooks, _ = self.day(day, lmp_usd_per_mwh, state, directed)
        return [
            self.portfolio.at_price_kw(outlook, price)
            for outlook, price in zip(outlooks, lmp_usd_per_mwh.tolist(), strict=True)
        ]

    def interval(
        self,
        interval: SimTime,
        issue: SimTime,
        state: FleetState,
        site_kw: FloatArray,
        within: Within | None = None,
    ) -> tuple[Outlook, PricePath]:
        """Outlook of one market interval from the state at its beginning; the prices from there on.

        Parameters
        ----------
        issue
            When the forecast is made. [s]
        site_kw
            What each DER's own site draws, shape (ders,). [kW]
        within
            Envelope of the interval; None: none is published.

        Raises
        ------
        MissingInputError
            If the interval's day has no prices yet.
        """
        path = self._path(interval)
        outlook = self._outlook(
            self._scenario.expected(interval, issue).ders.of(self._places),
            state,
            self._kept_to_plan(self._slopes(path, interval, issue)[1], interval + self._clock.market_s),
            path,
            self.directed(issue),
            site_kw,
            within,
        )
        return outlook, path

    def state_at_midnight(self, day: int, now: SimTime, state: FleetState | None) -> FleetState:
        """State expected when a market day begins.

        For the first day, the initial one; later, what is known of the DERs now, and what today's prices let
        expect of the hours until midnight.
        """
        if day == 0 or state is None or day - 1 not in self._lmp:
            return initial_state(self.portfolio.fleet)
        hour = (now - self._clock.midnight(day - 1)) // HOUR_S
        rest = self._lmp[day - 1][hour:]
        path = PricePath(
            price_usd_per_mwh=rest,
            length_h=np.ones(rest.size),
            terminal_usd_per_mwh=float(self._lmp[day - 1].mean()),
        )
        begin = self._clock.midnight(day - 1) + HOUR_S * int(hour)
        slopes = self._slopes(path, begin, now)
        directed, alone = self.directed(now), np.zeros(self._places.size)
        for k, price in enumerate(rest.tolist()):
            expected = self._in_the_dark(begin + HOUR_S * k, HOUR_S, now)
            outlook = self._outlook(expected, state, slopes[k + 1], path.after(k), directed, alone)
            state = self.portfolio.follow(outlook, price)
        return state

    def later(self, state: FleetState, begin: SimTime, end: SimTime, issue: SimTime) -> FleetState:
        """State at ``end`` if from ``begin`` on everybody goes on as it is."""
        if end <= begin:
            return state
        return self.portfolio.after(state, state.p_kw, self._in_the_dark(begin, end - begin, issue))

    def _outlook(
        self,
        interval: Interval,
        state: FleetState,
        slopes: FloatArray,
        ahead: PricePath,
        directed: BoolArray,
        site_kw: FloatArray,
        within: Within | None = None,
    ) -> Outlook:
        fixed = np.zeros(directed.size)
        if self._counts_others and not directed.all():
            fixed = self._by_themselves_kw(state, interval, site_kw)
        return Outlook(
            interval=interval,
            state=state,
            slopes=slopes,
            ahead=ahead,
            directed=directed,
            fixed_kw=fixed,
            within=within,
        )

    def _by_themselves_kw(self, state: FleetState, interval: Interval, site_kw: FloatArray) -> FloatArray:
        """What DERs that nobody directs are expected to inject, shape (ders,). [kW]"""
        behaviour = self.portfolio.behaviour
        asked = behaviour.passive_kw(state, interval, site_kw)
        return behaviour.feasible(state, interval).clip(asked)

    def scheduled_kw(self, outlook: Outlook, awarded_kw: FloatArray) -> FloatArray:
        """Injections where DERs that are directed follow an award, shape (ders,). [kW]"""
        alone = np.zeros(awarded_kw.size)
        own = self._by_themselves_kw(outlook.state, outlook.interval, alone)
        return np.where(outlook.directed, awarded_kw, own)

    def _path(self, interval: SimTime) -> PricePath:
        """Prices expected from the beginning of an interval on: its own hour's, then the hours' to come."""
        day = self._clock.day_of(interval)
        end = interval + self._clock.market_s
        if day not in self._lmp:
            raise MissingInputError(
                f"{self._scenario.name} at {interval} s: no day-ahead prices of day {day}"
            )
        lmp = np.concatenate([self._lmp[d] for d in sorted(self._lmp) if d >= day])
        edges = self._clock.midnight(day) + HOUR_S * np.arange(lmp.size + 1)
        begin = np.clip(edges[:-1], end, self._clock.duration_s)
        length_h = (np.clip(edges[1:], end, self._clock.duration_s) - begin) / HOUR_S
        kept = length_h > 0.0
        own = lmp[(interval - self._clock.midnight(day)) // HOUR_S]
        return PricePath(
            price_usd_per_mwh=np.concatenate([[own], lmp[kept]]),
            length_h=np.concatenate([[self._clock.market_s / HOUR_S], length_h[kept]]),
            terminal_usd_per_mwh=float(self._lmp[day].mean()),
        )

    def _slopes(self, path: PricePath, begin: SimTime, issue: SimTime) -> FloatArray:
        """Marginal values of stored energy along a price path, shape (stretches + 1, stores, cells)."""
        local_s = self._clock.day_start_s
        intervals = self.portfolio.by_themselves(begin - local_s, path.length_h, issue - local_s)
        return self.portfolio.marginal_values(path, intervals)

    def _kept_to_plan(self, slopes: FloatArray, end: SimTime) -> FloatArray:
        """Slopes of an interval that ends at ``end``, as the day's plan bends them, where there is one."""
        day = self._clock.day_of(end - 1)
        if day not in self._plan:
            return slopes
        plan = self._plan[day]
        level_mwh, worth = plan.at((end - self._clock.midnight(day)) / HOUR_S)
        own = np.searchsorted(self.portfolio.stores, plan.der)
        bent = slopes.copy()
        fleet = self.portfolio.storage.select(own)
        bent[own] = planned(fleet, slopes[own], KW_PER_MW * level_mwh, worth)
        return bent

    def _in_the_dark(self, begin: SimTime, length_s: int, issue: SimTime) -> Interval:
        local_s = self._clock.day_start_s
        return self.portfolio.in_the_dark(begin - local_s, length_s, issue - local_s)

    def save(self) -> State:
        """Day-ahead prices and plans."""
        state = {f"lmp_{day}": lmp for day, lmp in self._lmp.items()}
        for day, plan in self._plan.items():
            state[f"plan_der_{day}"] = plan.der.astype(np.float64)
            state[f"plan_level_{day}"] = plan.level_mwh
            state[f"plan_worth_{day}"] = plan.worth_usd_per_mwh
        return state

    def restore(self, state: State) -> None:
        """Take up a saved state."""
        self._lmp = {int(n.removeprefix("lmp_")): v for n, v in state.items() if n.startswith("lmp_")}
        days = [int(name.removeprefix("plan_der_")) for name in state if name.startswith("plan_der_")]
        self._plan = {
            day: PlannedLevels(
                der=state[f"plan_der_{day}"].astype(np.int64),
                level_mwh=state[f"plan_level_{day}"],
                worth_usd_per_mwh=state[f"plan_worth_{day}"],
            )
            for day in days
        }
