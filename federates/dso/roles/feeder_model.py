"""M4: the DSO tells the ISO what M1's does, and its feeders' limits as rows on the offered injections."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from federates.core.arrays import IntArray
from federates.core.context import Context
from federates.core.protocol import Grant, Offset, Outbox, Phase
from federates.core.settings import aggregators_of
from federates.core.time import Cadence, SimTime
from federates.der.model import FleetState
from federates.dso.feeder_model import LimitRows, SeenFeeder, area_rows, feeder_model, reach_columns
from federates.dso.roles.fixed_quantity import Believed
from federates.dso.roles.inflexible_demand import InflexibleDemand
from federates.dso.roles.seen import HOUR_S, seen_state, telemetry
from federates.dso.total import kept_limits
from federates.dso.twin import Twin


class FeederModelRole(InflexibleDemand):
    """Publishes the linear map around the state that its quantity is expected at."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        mine = [self.scenario.portfolio(owner) for owner in aggregators_of(context.lda)]
        offered = np.concatenate(mine)
        self._columns_count = offered.size
        self._column: IntArray = np.full(len(self.scenario.fleet), -1)
        self._column[offered] = np.arange(offered.size)

    @property
    def phases(self) -> Mapping[Offset, Phase]:
        """A model and a bid before each gate, and once per day."""
        return {
            52: Phase(Cadence.GATE, self.bid),
            54: Phase(Cadence.DAY_AHEAD, self.day_ahead_bid, 54),
        }

    def day_ahead_bid(self, grant: Grant) -> Outbox:
        """Quantities and models of 24 hours, around DERs that serve their own sites."""
        twin = self.twin(grant.now)
        day, hours = self.believed_day(grant)
        outbox = self.day_ahead_bid_of(grant, day, hours)
        state = self.expected_state(grant, day)
        rows = [self._rows(twin, hour, state, grant.now) for hour in hours]
        model = feeder_model(
            rows, interval_s=self.clock.midnight(day), length_s=HOUR_S, multiplicity=self.multiplicity
        )
        outbox.put(self.ports.day_ahead_feeder_models, model)
        return outbox

    def bid(self, grant: Grant) -> Outbox:
        """Quantity and model of the interval whose gate is next."""
        interval, believed = self.believed(grant)
        outbox = self.bid_of(grant, interval, believed)
        state = seen_state(telemetry(self.ports, grant, self.name).message)
        rows = self._rows(self.twin(grant.now), believed, state, grant.now)
        model = feeder_model(
            [rows], interval_s=interval, length_s=self.clock.market_s, multiplicity=self.multiplicity
        )
        outbox.put(self.ports.feeder_models, model)
        return outbox

    def _rows(self, twin: Twin, believed: Believed, state: FleetState, now: SimTime) -> LimitRows:
        """Limits in one interval; the DSO knows what its DERs can do, not what they ask for it."""
        interval, scenario = believed.expected.ders, self.scenario
        directed = scenario.directed(now) & (self._column >= 0)
        possible = scenario.behaviour.feasible(state, interval)
        least = np.where(directed, np.minimum(interval.least_kw, possible.p_min_kw), believed.p_kw)
        most = np.where(directed, np.maximum(interval.available_kw, possible.p_max_kw), believed.p_kw)
        base = np.where(directed, possible.clip(scenario.base_kw(interval.least_kw)), believed.p_kw)
        parts = [twin.split(v) for v in (least, most, base, believed.q_kvar)]
        feeders = [
            SeenFeeder(
                point=point,
                reach=reach_columns(*(part[place] for part in parts)),
                directed=directed[twin.feeder_of_der == place],
                limits=kept_limits(scenario, place, point),
                column=self._column[twin.feeder_of_der == place],
            )
            for place, point in enumerate(believed.solved.points)
        ]
        return area_rows(
            feeders,
            self._columns_count,
            constant_mw=twin.constant_mw(believed.solved),
            substation_mw=scenario.substation_mva,
        )
