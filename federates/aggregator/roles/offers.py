"""M1 and M5: the aggregator offers its DERs, and passes the award on as set-points."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from federates.aggregator.portfolio import Outlook, Portfolio
from federates.coordination.catalog import MODELS
from federates.coordination.model import Tier
from federates.core.advice import advised_usd_per_mwh
from federates.core.arrays import BoolArray, FloatArray
from federates.core.context import Context
from federates.core.errors import MissingInputError
from federates.core.messages import DerState, SetPoints
from federates.core.ports import AggregatorPorts
from federates.core.protocol import Grant, Offset, Outbox, Phase, State
from federates.core.time import Cadence, SimTime
from federates.der.model import FleetState, Interval, initial_state
from federates.der.offer import PricePath
from federates.scenario.lda import LdaScenario

KW_PER_MW = 1_000.0
HOUR_S = 3_600
HOURS = 24


class Offers:
    """Offers at true cost, stored energy at its opportunity cost against the prices expected."""

    def __init__(self, context: Context) -> None:
        self.ports = AggregatorPorts()
        self.name = context.name
        self._clock = context.clock
        self._scenario = LdaScenario(context.study, context.lda.name)
        self._mine = self._scenario.portfolio(context.owner)
        in_market = np.zeros(len(self._scenario.fleet), dtype=np.bool_)
        in_market[self._mine] = True
        self._portfolio = Portfolio(self._scenario.fleet.select(in_market))
        self._forward = context.forward()
        self._to_iso = MODELS[context.study.coordination].offers_to is Tier.ISO
        self._factor = float(context.lda.multiplicity) if self._to_iso else 1.0
        advised = MODELS[context.study.coordination].feeds("aggregator", "advised")
        self._rounds_count = context.study.market.day_ahead_rounds if advised else 1
        self._rounds_offered = 0
        self._lmp: dict[int, FloatArray] = {}

    @property
    def phases(self) -> Mapping[Offset, Phase]:
        """Offers before each gate and in each day-ahead round; set-points whenever an award has come."""
        return {
            2: Phase(Cadence.STEP, self.act),
            52: Phase(Cadence.GATE, self.offer),
            51: Phase(Cadence.DAY_AHEAD, self.offer_day_ahead, 51),
        }

    def offer_day_ahead(self, grant: Grant) -> Outbox:
        """Offers of 24 hours, each from the state that following the prices expected before it leaves."""
        day = self._clock.day_ahead_day(grant.now)
        assert day is not None
        midnight, issue = self._clock.midnight(day), self._clock.day_ahead_issue(day)
        path = _path(self._advised(grant, day), np.ones(HOURS))
        slopes = self._slopes(path, midnight, issue)
        state = self._expected_state(grant, day)
        directed = self._scenario.directed(grant.now)[self._mine]
        outlooks = []
        for hour, expected in enumerate(self._scenario.expected_day(day, issue)):
            interval = expected.ders.of(self._mine)
            outlook = self._outlook(
                interval, state, slopes[hour + 1], path.after(hour), directed, np.zeros(self._mine.size)
            )
            outlooks.append(outlook)
            state = self._portfolio.follow(outlook, float(path.price_usd_per_mwh[hour]))
        offers = self._portfolio.offers(outlooks, interval_s=midnight, length_s=HOUR_S, factor=self._factor)
        self._rounds_offered = (self._rounds_offered + 1) % self._rounds_count
        outbox = Outbox(again=self._rounds_offered > 0)
        outbox.put(self.ports.day_ahead_offers, offers)
        return outbox

    def _advised(self, grant: Grant, day: int) -> FloatArray:
        """Prices expected at the bus, hour by hour: the first forecast, then what is advised. [$/MWh]"""
        if self._rounds_offered == 0:
            first: FloatArray = self._forward.lmp_usd_per_mwh[day][:, self._scenario.bus_place]
            return first
        return advised_usd_per_mwh(grant, self.ports.advised, self._clock.midnight(day), self.name)

    def _expected_state(self, grant: Grant, day: int) -> FleetState:
        """State expected of the DERs when a market day begins.

        For the first day, the initial one; later, what they have now and what today's day-ahead prices let
        expect of the hours until midnight.
        """
        got = grant.inbox.only(self.ports.der_state)
        if day == 0 or got is None or day - 1 not in self._lmp:
            return initial_state(self._portfolio.fleet)
        state = _reported(got.message)
        hour = (grant.now - self._clock.midnight(day - 1)) // HOUR_S
        rest = self._lmp[day - 1][hour:]
        path = PricePath(
            price_usd_per_mwh=rest,
            length_h=np.ones(rest.size),
            terminal_usd_per_mwh=float(self._lmp[day - 1].mean()),
        )
        begin = self._clock.midnight(day - 1) + HOUR_S * int(hour)
        slopes = self._slopes(path, begin, grant.now)
        directed = self._scenario.directed(grant.now)[self._mine]
        for k, price in enumerate(rest.tolist()):
            expected = self._in_the_dark(begin + HOUR_S * k, HOUR_S, grant.now)
            idle = np.zeros(self._mine.size)
            outlook = self._outlook(expected, state, slopes[k + 1], path.after(k), directed, idle)
            state = self._portfolio.follow(outlook, price)
        return state

    def offer(self, grant: Grant) -> Outbox:
        """Offers for the interval whose gate is next."""
        step = grant.now // self._clock.step_s * self._clock.step_s
        interval = self._clock.gated_interval(step)
        assert interval is not None
        self._note_prices(grant)
        got = grant.inbox.only(self.ports.der_state)
        if got is None:
            raise MissingInputError(f"{self.name} at {grant.now} s: its DERs have not reported yet")
        state = _reported(got.message)
        begin = step + self._clock.step_s
        if interval > begin:
            until = self._in_the_dark(begin, interval - begin, grant.now)
            state = self._portfolio.after(state, state.p_kw, until)
        path = self._price_path(interval)
        outlook = self._outlook(
            self._scenario.expected(interval, grant.now).ders.of(self._mine),
            state,
            self._slopes(path, interval, grant.now)[1],
            path,
            self._scenario.directed(grant.now)[self._mine],
            got.message.site_mw * KW_PER_MW,
        )
        offers = self._portfolio.offers(
            [outlook], interval_s=interval, length_s=self._clock.market_s, factor=self._factor
        )
        outbox = Outbox()
        outbox.put(self.ports.offers, offers)
        return outbox

    def _outlook(
        self,
        interval: Interval,
        state: FleetState,
        slopes: FloatArray,
        ahead: PricePath,
        directed: BoolArray,
        site_kw: FloatArray,
    ) -> Outlook:
        """An interval as this aggregator sees it; the ISO takes no account of DERs outside its market."""
        fixed = np.zeros(directed.size)
        if not (self._to_iso or directed.all()):
            behaviour = self._portfolio.behaviour
            asked = behaviour.passive_kw(state, interval, site_kw)
            fixed = behaviour.feasible(state, interval).clip(asked)
        return Outlook(
            interval=interval, state=state, slopes=slopes, ahead=ahead, directed=directed, fixed_kw=fixed
        )

    def act(self, grant: Grant) -> Outbox:
        """Pass a new award on to the DERs."""
        self._note_prices(grant)
        outbox = Outbox()
        for award in grant.inbox.new(self.ports.awards).values():
            p = award.p_mw / self._factor
            outbox.put(self.ports.set_points, SetPoints(p_mw=p, q_mvar=award.q_mvar / self._factor))
        return outbox

    def _note_prices(self, grant: Grant) -> None:
        """Day-ahead prices of the LDA's bus: the forecast of its real-time prices."""
        published = [
            (m.interval_s, m.lmp_usd_per_mwh) for m in grant.inbox.new(self.ports.prices).values()
        ] + [
            (m.interval_s, m.price_usd_per_mwh) for m in grant.inbox.new(self.ports.day_ahead_awards).values()
        ]
        for begin, lmp in published:
            day = self._clock.day_of(begin)
            self._lmp = {d: known for d, known in self._lmp.items() if d >= day - 1} | {day: lmp}

    def _price_path(self, interval: SimTime) -> PricePath:
        """Prices expected from the beginning of an interval on: its own hour's, then the hours' to come."""
        day = self._clock.day_of(interval)
        end = interval + self._clock.market_s
        if day not in self._lmp:
            raise MissingInputError(f"{self.name} at {interval} s: no day-ahead prices of day {day}")
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
        intervals = self._portfolio.by_themselves(begin - local_s, path.length_h, issue - local_s)
        return self._portfolio.marginal_values(path, intervals)

    def _in_the_dark(self, begin: SimTime, length_s: int, issue: SimTime) -> Interval:
        local_s = self._clock.day_start_s
        return self._portfolio.in_the_dark(begin - local_s, length_s, issue - local_s)

    def save(self) -> State:
        """Day-ahead prices."""
        return {"schema": np.array([1.0])} | {f"lmp_{day}": lmp for day, lmp in self._lmp.items()}

    def restore(self, state: State) -> None:
        """Take up a saved state."""
        self._lmp = {int(n.removeprefix("lmp_")): v for n, v in state.items() if n.startswith("lmp_")}


def _path(lmp: FloatArray, length_h: FloatArray) -> PricePath:
    return PricePath(price_usd_per_mwh=lmp, length_h=length_h, terminal_usd_per_mwh=float(lmp.mean()))


def _reported(state: DerState) -> FleetState:
    """State as the DERs report it."""
    return FleetState(energy_kwh=state.soc_mwh * KW_PER_MW, p_kw=state.p_mw * KW_PER_MW)
