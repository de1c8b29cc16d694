"""M3: the DSO tells the ISO what M1's does, and its aggregators how far each DER may go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from federates.core import tables
from federates.core.arrays import BoolArray, FloatArray
from federates.core.context import Context
from federates.core.errors import DivergedError, ModelError
from federates.core.messages import DerEnvelopes
from federates.core.protocol import Grant, Offset, Out, Outbox, Phase
from federates.core.time import Cadence, SimTime
from federates.dso.circuit_judge import AreaLimits, CircuitJudge, Instruments
from federates.dso.envelope import ALLOCATIONS, Ability, operating_envelope
from federates.dso.reference import kept_reference
from federates.dso.roles.inflexible_demand import InflexibleDemand
from federates.dso.roles.seen import HOUR_S, KW_PER_MW, conditions, seen_state, telemetry
from federates.dso.total import HEAD_SHARE, LOADING_SHARE, V_MAX_PU, V_MIN_PU, VOLTAGE_MARGIN_PU
from federates.dso.twin import Twin
from federates.scenario.lda import ExpectedLda

Bounds = tuple[FloatArray, FloatArray]
"""Least and greatest injection of each DER, shapes (ders,). [kW]"""


class Envelopes(InflexibleDemand):
    """Publishes envelopes measured on the twin, by the study's rule.

    They begin where every DER rests or, where the feeders do not carry that, at the injections nearest to it
    that they carry.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._recorder = context.recorder
        self._instruments: Instruments | None = None
        self._allocation = ALLOCATIONS[context.study.envelope_rule]
        self._portfolios = {
            name: self.scenario.portfolio(context.owner_of(name)) for name in context.receivers("envelopes")
        }
        self._der_ids = tuple(f"{self.scenario.name}/{der}" for der in self.scenario.fleet.ids)
        heads = np.array([(limits.import_kva, limits.export_kva) for limits in self.scenario.limits])
        self._limits = AreaLimits(
            v_min_pu=V_MIN_PU + VOLTAGE_MARGIN_PU,
            v_max_pu=V_MAX_PU - VOLTAGE_MARGIN_PU,
            loading_pu=LOADING_SHARE,
            import_kva=HEAD_SHARE * heads[:, 0],
            export_kva=HEAD_SHARE * heads[:, 1],
        )

    @property
    def phases(self) -> Mapping[Offset, Phase]:
        """Envelopes and a bid before each gate; day-ahead, envelopes before the offers, a bid after them."""
        return {
            50: Phase(Cadence.DAY_AHEAD, self.day_ahead_envelopes),
            51: Phase(Cadence.GATE, self.bid),
            54: Phase(Cadence.DAY_AHEAD, self.day_ahead_bid, 54),
        }

    def day_ahead_envelopes(self, grant: Grant) -> Outbox:
        """Envelopes of 24 hours, regulators where they come to rest."""
        day = self.clock.day_ahead_day(grant.now)
        assert day is not None
        twin, none = Twin(self.scenario), np.zeros(len(self.scenario.fleet))
        directed = self.scenario.directed(grant.now)
        hours = self.scenario.expected_day(day, self.clock.day_ahead_issue(day))
        bounds = []
        for hour, injected in zip(hours, self.day_ahead_kw(grant, day, hours), strict=True):
            ability = _ability(self.scenario.base_kw(hour.least_kw), hour, directed, injected)
            twin.set_conditions(conditions(hour, 1.0))
            twin.settle(ability.reference_kw, none)
            bounds.append(self._envelope(grant.now, twin, ability, none, ability))
        outbox = Outbox()
        self._publish(outbox, self.ports.day_ahead_envelopes, bounds, self.clock.midnight(day), HOUR_S)
        return outbox

    def bid(self, grant: Grant) -> Outbox:
        """Envelopes and the quantity of the interval whose gate is next."""
        interval, believed = self.believed(grant)
        outbox = self.bid_of(grant, interval, believed)
        twin, hour = self.twin(grant.now), believed.expected
        seen = telemetry(self.ports, grant, self.name).message
        directed = self.scenario.directed(grant.now)
        ability = _ability(self.scenario.base_kw(hour.least_kw), hour, directed, believed.p_kw)
        twin.set_conditions(conditions(hour, seen.head_v_pu))
        stored = self.scenario.behaviour.feasible(seen_state(seen), hour.ders)
        movable = _held(ability, stored.p_min_kw, stored.p_max_kw)
        bounds = self._envelope(grant.now, twin, ability, believed.q_kvar, movable)
        self._publish(outbox, self.ports.envelopes, [bounds], interval, self.clock.market_s)
        if self.scenario.study.record.ders:
            possible = (ability.least_kw, ability.most_kw)
            self._recorder.add(tables.ENVELOPE, interval, self._der_ids, *bounds, *possible)
        return outbox

    def _envelope(
        self, now: SimTime, twin: Twin, ability: Ability, q_kvar: FloatArray, movable: Ability
    ) -> Bounds:
        """Envelope at the twin's taps; where none can be measured, what it would begin at, and an event.

        ``movable``: the part of the DERs' ability that may be asked of them, within what they store.
        """
        try:
            judge = self._judge(twin, ability.reference_kw, q_kvar)
            reference_kw = kept_reference(judge, movable)
            if not np.array_equal(reference_kw, ability.reference_kw):
                ability = replace(ability, reference_kw=reference_kw)
                judge = self._judge(twin, reference_kw, q_kvar)
            found = operating_envelope(judge, ability, self._allocation)
        except (DivergedError, ModelError) as error:
            text = f"no envelope but one injection: {error}"
            self._recorder.add(tables.EVENT, now, (self.name,), [0.0], text=[text])
            return ability.reference_kw, ability.reference_kw
        return found.least_kw, found.most_kw

    def _judge(self, twin: Twin, reference_kw: FloatArray, q_kvar: FloatArray) -> CircuitJudge:
        """The area's limits, relaxed to a state of the twin."""
        twin.feeder_power_kva(reference_kw, q_kvar)
        if self._instruments is None or self._instruments.circuit is not twin.circuit:
            self._instruments = Instruments(twin.circuit)
        return CircuitJudge(
            self._instruments,
            self._limits,
            reference_kw=reference_kw,
            q_kvar=q_kvar,
            monitored=self.scenario.load_node_mask(twin.circuit),
        )

    def _publish(
        self,
        outbox: Outbox,
        port: Out[DerEnvelopes],
        bounds: Sequence[Bounds],
        interval: SimTime,
        length_s: int,
    ) -> None:
        for name, mine in self._portfolios.items():
            message = DerEnvelopes(
                interval_s=interval,
                length_s=length_s,
                intervals=len(bounds),
                least_mw=np.concatenate([least[mine] for least, _ in bounds]) / KW_PER_MW,
                most_mw=np.concatenate([most[mine] for _, most in bounds]) / KW_PER_MW,
            )
            outbox.put(port, message, to=name)


def _ability(
    rest_kw: FloatArray, expected: ExpectedLda, directed: BoolArray, injected_kw: FloatArray
) -> Ability:
    """What DERs could do, counted from rest; who follows nobody does what is expected of it."""
    least, most = expected.least_kw, expected.available_kw
    fixed = np.clip(injected_kw, least, most)
    return Ability(
        reference_kw=np.where(directed, np.clip(rest_kw, least, most), fixed),
        least_kw=np.where(directed, least, fixed),
        most_kw=np.where(directed, most, fixed),
    )


def _held(ability: Ability, least_kw: FloatArray, most_kw: FloatArray) -> Ability:
    """An ability within bounds of shape (ders,); its reference is always possible. [kW]"""
    reference = ability.reference_kw
    return replace(
        ability,
        least_kw=np.minimum(np.maximum(ability.least_kw, least_kw), reference),
        most_kw=np.maximum(np.minimum(ability.most_kw, most_kw), reference),
    )
