"""M2: the DSO tells the ISO what M1's does, checks the ISO's dispatch on its twin, and limits DERs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from federates.core import tables
from federates.core.arrays import FloatArray
from federates.core.context import Context
from federates.core.errors import MissingInputError
from federates.core.messages import DerLimits
from federates.core.protocol import Grant, Offset, Outbox, Phase
from federates.core.time import Cadence, SimTime
from federates.dso.override import REASONS, CheckedFeeder, FeederOverride, Reason, least_overrides
from federates.dso.roles.inflexible_demand import InflexibleDemand
from federates.dso.roles.seen import HOUR_S, KW_PER_MW, conditions, telemetry
from federates.dso.total import TwinArea, kept_limits
from federates.dso.twin import Twin


class Override(InflexibleDemand):
    """Lets the dispatch stand where its feeders bear it, and holds back as little as it can where not."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._recorder = context.recorder
        self._portfolios = {
            name: self.scenario.portfolio(context.owner_of(name)) for name in context.senders("set_points")
        }
        self._der_ids = tuple(f"{self.scenario.name}/{der}" for der in self.scenario.fleet.ids)
        self._feeders = tuple(f"{self.scenario.name}/{name}" for name in self.scenario.feeder_names)

    @property
    def phases(self) -> Mapping[Offset, Phase]:
        """A check of each dispatch, and the bids."""
        return {3: Phase(Cadence.MARKET, self.check), **super().phases}

    def check(self, grant: Grant) -> Outbox:
        """Limits for the interval that begins now, none where its dispatch breaks nothing."""
        step = grant.now // self.clock.step_s * self.clock.step_s
        received = telemetry(self.ports, grant, self.name)
        seen, twin = received.message, self.twin(step)
        expected = self.observer.expected(step, step - self.clock.step_s, received, twin)
        twin.set_conditions(conditions(expected, seen.head_v_pu))
        directed = self.scenario.directed(step)
        least, most = expected.least_kw, expected.available_kw
        asked = np.where(directed, self._asked_kw(grant), seen.der_p_mw * KW_PER_MW)
        asked = np.clip(asked, least, most)
        rest = np.where(directed, np.clip(self.scenario.base_kw(least), least, most), asked)
        done = self._overrides(twin, asked, rest, seen.der_q_mvar * KW_PER_MW)
        allowed = twin.joined([one.allowed_kw for one in done])
        self._record(step, twin, asked, allowed, done)
        (moved,) = np.nonzero(allowed != asked)
        limits = DerLimits(
            interval_s=step,
            der=moved,
            least_mw=np.minimum(rest, allowed)[moved] / KW_PER_MW,
            most_mw=np.maximum(rest, allowed)[moved] / KW_PER_MW,
        )
        outbox = Outbox()
        outbox.put(self.ports.limits, limits)
        return outbox

    def _asked_kw(self, grant: Grant) -> FloatArray:
        """Injections that the aggregators ask of their DERs, shape (ders,). [kW]"""
        asked = np.zeros(len(self.scenario.fleet))
        received = grant.inbox.all(self.ports.set_points)
        for name, mine in self._portfolios.items():
            got = received.get(name)
            if got is None:
                raise MissingInputError(f"{self.name} at {grant.now} s: no set-points of {name} yet")
            asked[mine] = got.message.p_mw * KW_PER_MW
        return asked

    def _overrides(
        self, twin: Twin, asked: FloatArray, rest: FloatArray, q_kvar: FloatArray
    ) -> tuple[FeederOverride, ...]:
        parts = zip(twin.split(asked), twin.split(rest), twin.split(q_kvar), self._feeders, strict=True)
        feeders = [CheckedFeeder(asked_kw=a, rest_kw=r, q_kvar=q, name=name) for a, r, q, name in parts]
        return least_overrides(
            feeders, TwinArea(twin, None), lambda place, point: kept_limits(self.scenario, twin, place, point)
        )

    def _record(
        self,
        t: SimTime,
        twin: Twin,
        asked: FloatArray,
        allowed: FloatArray,
        done: Sequence[FeederOverride],
    ) -> None:
        mwh_per_kw = self.multiplicity * self.clock.market_s / HOUR_S / KW_PER_MW
        energy = np.abs(allowed - asked) * mwh_per_kw
        reason = twin.joined([one.reason.astype(np.float64) for one in done]).astype(np.int64)
        node = twin.joined([one.node.astype(np.float64) for one in done]).astype(np.int64)
        moved = np.flatnonzero(allowed != asked).tolist()
        if moved:
            names = twin.circuit.node_names
            self._recorder.add(
                tables.OVERRIDE,
                t,
                [self._der_ids[k] for k in moved],
                asked[moved],
                allowed[moved],
                energy[moved],
                text=[_text(REASONS[reason[k]], names[node[k]] if node[k] >= 0 else "") for k in moved],
            )
        by_reason = [
            np.bincount(twin.feeder_of_der, weights=energy * (reason == k), minlength=len(done)).tolist()
            for k in range(len(REASONS))
        ]
        self._recorder.add(
            tables.OVERRIDE_CHECK,
            t,
            self._feeders,
            *np.array([one.broken_count for one in done], dtype=np.float64).T,
            [float(one.left_count) for one in done],
            *by_reason,
            [float(one.passes_count) for one in done],
        )


def _text(reason: Reason, place: str) -> str:
    return f"{reason.value} at {place}" if place else reason.value
