"""The plant's state as rows of tables."""

from __future__ import annotations

import numpy as np

from federates.core import tables
from federates.core.arrays import FloatArray
from federates.core.der_settings import DER_KINDS
from federates.core.settings import Study
from federates.core.tables import Recorder
from federates.core.time import SimTime
from federates.feeder.plant import Plant
from federates.scenario.lda import LdaScenario

KW_PER_MW = 1_000.0
VEHICLES = "ev"
CONFLICT_KW = 1e-3
"""Two instructions that differ by less are one."""
KINDS = ("pv", "battery", "flexible", VEHICLES)
"""Kinds of table ``der_type`` with a row in every LDA, so that studies are laid side by side. Vehicles that
charge on arrival are part of the demand: no DERs of the fleet."""
SERVICE = ("unserved_kwh", "outside_min", "started", "cost_usd", "co2_kg")
"""What a step leaves behind, in the order of table ``der_service``."""


class FeederRecords:
    """Writes accepted steps to a recorder."""

    def __init__(self, recorder: Recorder, scenario: LdaScenario, study: Study) -> None:
        self._recorder = recorder
        self._scenario = scenario
        self._study = study
        name = scenario.name
        self._lda = (name,)
        self._feeders = tuple(f"{name}/{f}" for f in scenario.feeder_names)
        own = {*scenario.fleet.kind, *KINDS}
        self._kinds = tuple(kind for kind in DER_KINDS if kind in own)
        self._type_ids = tuple(f"{feeder}/{kind}" for feeder in self._feeders for kind in self._kinds)
        self._der_ids = tuple(f"{name}/{der}" for der in scenario.fleet.ids)
        kind = np.array([self._kinds.index(k) for k in scenario.fleet.kind], dtype=np.int64)
        self._type_of = np.array(scenario.model.der_feeder, dtype=np.int64) * len(self._kinds) + kind
        self._node_ids: tuple[str, ...] = ()
        self._service = np.zeros((len(SERVICE), len(self._type_ids)))

    def begin(self, t: SimTime, plant: Plant) -> None:
        """What the study's first step begins from."""
        if t == 0:
            self._recorder.add(tables.DER_START, t, self._type_ids, self._by_type(plant.state.energy_kwh))

    def step(
        self, t: SimTime, plant: Plant, v_pu: float, set_point_kw: FloatArray, taps_before: FloatArray
    ) -> None:
        """One accepted physical step."""
        if t == 0:
            self._units()
        self._head(t, plant, v_pu)
        self._service_rows(t, plant)
        self._feeder_rows(t, plant, taps_before)
        self._der_rows(t, plant, set_point_kw)
        if self._study.record.nodes:
            self._node_ids = self._node_ids or tuple(f"{self._lda[0]}/{n}" for n in plant.circuit.node_names)
            self._recorder.add(tables.NODE, t, self._node_ids, plant.circuit.node_v_pu())

    def _units(self) -> None:
        fleet = self._scenario.fleet
        self._recorder.add(
            tables.DER_UNIT,
            0,
            tuple(f"{der}/{aggregator}" for der, aggregator in zip(self._der_ids, fleet.owner, strict=True)),
            fleet.power_kw,
            fleet.s_kva,
            fleet.energy_kwh,
            fleet.participates.astype(np.float64),
            text=fleet.customer,
        )

    def conflicts(self, t: SimTime, asked_kw: FloatArray, held_kw: FloatArray) -> None:
        """DERs of which an aggregator asks what a DSO does not allow in the interval that begins now."""
        places = np.flatnonzero(np.abs(asked_kw - held_kw) > CONFLICT_KW).tolist()
        if places:
            ids = [self._der_ids[k] for k in places]
            self._recorder.add(tables.CONFLICT, t, ids, asked_kw[places], held_kw[places])

    def _head(self, t: SimTime, plant: Plant, v_pu: float) -> None:
        circuit, factor = plant.circuit, self._scenario.multiplicity / KW_PER_MW
        power = circuit.head_power_kva().sum()
        zero, positive, negative = circuit.head_sequence_a()
        unbalance = 100.0 / max(positive, np.finfo(np.float64).tiny)
        row = (
            power.real * factor,
            power.imag * factor,
            v_pu,
            negative * unbalance,
            zero * unbalance,
            circuit.losses_kva().real,
            100.0 * abs(power) / (KW_PER_MW * self._scenario.substation_mva),
        )
        self._recorder.add(tables.HEAD, t, self._lda, *([float(value)] for value in row))

    def _feeder_rows(self, t: SimTime, plant: Plant, taps_before: FloatArray) -> None:
        states = plant.feeder_states()
        moves = self._scenario.tap_moves(plant.circuit, taps_before)
        rows = []
        for place, state in enumerate(states):
            v = state.voltages
            limits = self._scenario.limits[place]
            kva = float(np.hypot(state.p_kw, state.q_kvar))
            limit_kva = limits.import_kva if state.p_kw >= 0 else limits.export_kva
            rows.append(
                (
                    state.p_kw,
                    state.q_kvar,
                    v.min_pu,
                    v.p5_pu,
                    v.median_pu,
                    v.p95_pu,
                    v.max_pu,
                    v.outside_a_count,
                    v.outside_b_count,
                    100.0 * state.max_loading_pu,
                    state.overloaded_count,
                    max(0.0, kva - limit_kva),
                    moves[place],
                )
            )
        self._recorder.add(tables.FEEDER, t, self._feeders, *np.array(rows, dtype=np.float64).T)

    def _service_rows(self, t: SimTime, plant: Plant) -> None:
        """Sums of a market interval, written with its last step."""
        self._service += [self._by_type(getattr(plant.last, name)) for name in SERVICE]
        interval = self._study.clock.settled_interval(t)
        if interval is not None:
            self._recorder.add(tables.DER_SERVICE, interval, self._type_ids, *self._service)
            self._service = np.zeros_like(self._service)

    def _by_type(self, values: FloatArray) -> FloatArray:
        """Sums over each feeder's DERs of a kind, shape (feeders * kinds,)."""
        total = np.bincount(self._type_of, weights=values, minlength=len(self._type_ids))
        return total.astype(np.float64)

    def _der_rows(self, t: SimTime, plant: Plant, set_point_kw: FloatArray) -> None:
        actual = self._scenario.actual(t)
        curtailed = self._scenario.behaviour.curtailed_kw(plant.p_kw, actual.ders)
        injected, *others = (
            self._by_type(values)
            for values in (
                plant.p_kw,
                plant.q_kvar,
                actual.available_kw,
                plant.state.energy_kwh,
                curtailed,
                plant.volt_watt_kw,
            )
        )
        vehicles = slice(self._kinds.index(VEHICLES), None, len(self._kinds))
        injected[vehicles] = -(self._scenario.vehicles_kw(t) - injected[vehicles])
        self._recorder.add(tables.DER_TYPE, t, self._type_ids, injected, *others)
        if self._study.record.ders and t % self._study.horizon.market_interval_s == 0:
            self._recorder.add(
                tables.DER,
                t,
                self._der_ids,
                plant.p_kw,
                set_point_kw,
                actual.available_kw,
                plant.state.energy_kwh,
                plant.volt_watt_kw,
            )
