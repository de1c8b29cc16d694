"""M1 and M5: the aggregator offers its DERs, and passes the award on as set-points."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from federates.aggregator.portfolio import Portfolio, PricePath
from federates.coordination.catalog import MODELS
from federates.coordination.model import Tier
from federates.core.arrays import FloatArray
from federates.core.context import Context
from federates.core.errors import MissingInputError
from federates.core.messages import SetPoints
from federates.core.ports import AggregatorPorts
from federates.core.protocol import Grant, Offset, Outbox, Phase, State
from federates.core.time import Cadence, SimTime
from federates.scenario.lda import LdaConditions, LdaScenario

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
        to_iso = MODELS[context.study.coordination].offers_to is Tier.ISO
        self._factor = float(context.lda.multiplicity) if to_iso else 1.0
        self._lmp: dict[int, FloatArray] = {}
        self._slopes_at: SimTime | None = None
        self._slopes: FloatArray = np.zeros(0)

    @property
    def phases(self) -> Mapping[Offset, Phase]:
        """Offers before each gate and once a day; set-points whenever an award has come."""
        return {
            2: Phase(Cadence.STEP, self.act),
            52: Phase(Cadence.GATE, self.offer),
            51: Phase(Cadence.DAY_AHEAD, self.offer_day_ahead, 51),
        }

    def offer_day_ahead(self, grant: Grant) -> Outbox:
        """Offers of 24 hours; stores at the energy that following the expected price would leave."""
        day = self._clock.day_ahead_day(grant.now)
        assert day is not None
        midnight = self._clock.midnight(day)
        path = self._path(self._forward.lmp_usd_per_mwh[day][:, self._scenario.bus_place], np.ones(HOURS))
        slopes = self._portfolio.marginal_values(path)
        start = self._expected_soc_kwh(grant, day)
        expected = self._scenario.expected_day(day, self._clock.day_ahead_issue(day))
        offers = self._portfolio.offers(
            interval_s=midnight,
            length_s=HOUR_S,
            slopes=slopes[1:],
            soc_kwh=self._portfolio.expected_path_kwh(slopes, path, start)[:-1],
            limit_kw=np.stack([self._limit_kw(hour) for hour in expected]),
            factor=self._factor,
        )
        outbox = Outbox()
        outbox.put(self.ports.day_ahead_offers, offers)
        return outbox

    def _expected_soc_kwh(self, grant: Grant, day: int) -> FloatArray:
        """Energy expected in the stores when a market day begins, shape (batteries,). [kWh]

        For the first day, the initial charge; later, what is stored now and what today's day-ahead prices let
        expect of the hours until midnight.
        """
        state = grant.inbox.only(self.ports.der_state)
        if day == 0 or state is None or day - 1 not in self._lmp:
            return self._scenario.fleet.initial_kwh[self._mine][self._portfolio.battery]
        now_kwh = state.message.soc_mwh[self._portfolio.battery] * KW_PER_MW
        hour = (grant.now - self._clock.midnight(day - 1)) // HOUR_S
        rest = self._lmp[day - 1][hour:]
        path = PricePath(
            price_usd_per_mwh=rest,
            length_h=np.ones(rest.size),
            terminal_usd_per_mwh=float(self._lmp[day - 1].mean()),
        )
        slopes = self._portfolio.marginal_values(path)
        at_midnight: FloatArray = self._portfolio.expected_path_kwh(slopes, path, now_kwh)[-1]
        return at_midnight

    def offer(self, grant: Grant) -> Outbox:
        """Offers for the interval whose gate is next."""
        step = grant.now // self._clock.step_s * self._clock.step_s
        interval = self._clock.gated_interval(step)
        assert interval is not None
        self._note_prices(grant)
        state = grant.inbox.only(self.ports.der_state)
        if state is None:
            raise MissingInputError(f"{self.name} at {grant.now} s: its DERs have not reported yet")
        battery = self._portfolio.battery
        soc = self._portfolio.stored_after_kwh(
            state.message.soc_mwh[battery] * KW_PER_MW,
            state.message.p_mw[battery] * KW_PER_MW,
            interval - (step + self._clock.step_s),
        )
        offers = self._portfolio.offers(
            interval_s=interval,
            length_s=self._clock.market_s,
            slopes=self._slopes_after(interval)[None],
            soc_kwh=soc[None],
            limit_kw=self._limit_kw(self._scenario.expected(interval, grant.now))[None],
            factor=self._factor,
        )
        outbox = Outbox()
        outbox.put(self.ports.offers, offers)
        return outbox

    def act(self, grant: Grant) -> Outbox:
        """Pass a new award on to the DERs."""
        self._note_prices(grant)
        outbox = Outbox()
        for award in grant.inbox.new(self.ports.awards).values():
            p = award.p_mw / self._factor
            outbox.put(self.ports.set_points, SetPoints(p_mw=p, q_mvar=award.q_mvar / self._factor))
        return outbox

    def _limit_kw(self, conditions: LdaConditions) -> FloatArray:
        available, least = conditions.available_kw[self._mine], conditions.least_kw[self._mine]
        return np.where(self._portfolio.flexible, -least, available)

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
            self._slopes_at = None

    def _slopes_after(self, interval: SimTime) -> FloatArray:
        """Marginal values of stored energy at the end of an interval, shape (batteries, cells)."""
        day = self._clock.day_of(interval)
        end = interval + self._clock.market_s
        if day not in self._lmp:
            raise MissingInputError(f"{self.name} at {interval} s: no day-ahead prices of day {day}")
        lmp = np.concatenate([self._lmp[d] for d in sorted(self._lmp) if d >= day])
        edges = self._clock.midnight(day) + HOUR_S * np.arange(lmp.size + 1)
        begin = np.clip(edges[:-1], end, self._clock.duration_s)
        length_h = (np.clip(edges[1:], end, self._clock.duration_s) - begin) / HOUR_S
        kept = length_h > 0.0
        if self._slopes_at != end:
            terminal = float(self._lmp[day].mean())
            path = PricePath(
                price_usd_per_mwh=lmp[kept], length_h=length_h[kept], terminal_usd_per_mwh=terminal
            )
            self._slopes = self._portfolio.marginal_values(path)[0]
            self._slopes_at = end
        return self._slopes

    def _path(self, lmp: FloatArray, length_h: FloatArray) -> PricePath:
        return PricePath(price_usd_per_mwh=lmp, length_h=length_h, terminal_usd_per_mwh=float(lmp.mean()))

    def save(self) -> State:
        """Day-ahead prices."""
        return {"schema": np.array([1.0])} | {f"lmp_{day}": lmp for day, lmp in self._lmp.items()}

    def restore(self, state: State) -> None:
        """Take up a saved state."""
        self._lmp = {int(n.removeprefix("lmp_")): v for n, v in state.items() if n.startswith("lmp_")}
