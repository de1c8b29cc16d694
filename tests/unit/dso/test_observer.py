"""A twin synchronised from telemetry: with perfect meters it is the plant; with few it is near it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from federates.core import tables
from federates.core.arrays import FloatArray
from federates.core.messages import Telemetry
from federates.core.protocol import Received
from federates.distribution.builder import build_circuit
from federates.distribution.circuit import Circuit, Control
from federates.dso.observer import Observer
from federates.dso.twin import Conditions, Twin
from federates.recording.memory import MemoryRecorder
from federates.scenario.lda import ExpectedLda, LdaScenario
from federates.scenario.meters import Meters
from tests.build import TINY, sets, study

PERFECT = sets(estimation__noise=0, estimation__delay=0, estimation__meters=1)
STEP_S, INTERVAL_S = 60, 300
V_PU = 1.01
SAME_KW = 1e-6
"""What is left of loads of some 100 kW when perfect meters meet a head that says the same."""
SAME_HEAD_KW = 0.1
"""Two solutions to 1e-8 pu of a feeder of 3 MW."""
SAME_PU = 1e-6


@dataclass
class Area:
    """A plant, what its meters show, and a DSO that sees nothing else."""

    values: tuple[str, ...] = ()
    lda: str = "lda2"
    scenario: LdaScenario = field(init=False)
    plant: Circuit = field(init=False)
    twin: Twin = field(init=False)
    observer: Observer = field(init=False)
    recorder: MemoryRecorder = field(init=False)

    def __post_init__(self) -> None:
        wanted = study(TINY, *self.values)
        self.scenario, self.recorder = LdaScenario(wanted, self.lda), MemoryRecorder()
        self.plant = build_circuit(self.scenario.model, self.scenario.tolerance_pu)
        seen_by_dso = LdaScenario(wanted, self.lda)
        self.twin, self.observer = Twin(seen_by_dso), Observer(seen_by_dso, self.recorder)

    @property
    def der_kw(self) -> FloatArray:
        return 0.3 * self.scenario.fleet.power_kw

    def telemetry(self, step: int) -> Received[Telemetry]:
        plant, meters = self.plant, Meters(self.scenario)
        none = np.zeros(len(self.scenario.fleet))
        plant.set_source(V_PU, 0.0)
        plant.set_loads(*self.scenario.demand(step))
        plant.set_ders(self.der_kw, none)
        plant.solve(Control.STATIC)
        head = plant.head_power_kva().sum() / 1e3
        feeders = meters.heads_kva(step, plant.feeder_power_kva().sum(axis=1)) / 1e3
        loads = meters.loads_kva(step) / 1e3
        message = Telemetry(
            head_p_mw=float(head.real),
            head_q_mvar=float(head.imag),
            head_v_pu=V_PU,
            feeder_p_mw=feeders.real.copy(),
            feeder_q_mvar=feeders.imag.copy(),
            taps=plant.taps(),
            der_p_mw=self.der_kw / 1e3,
            der_q_mvar=none,
            soc_mwh=none,
            load_p_mw=loads.real.copy(),
            load_q_mvar=loads.imag.copy(),
        )
        return Received("feeder_lda2", step + 9, step + 9, message)

    def expected(self, step: int, interval: int) -> ExpectedLda:
        return self.observer.expected(interval, step + 53, self.telemetry(step), self.twin)

    def row(self) -> dict[str, float]:
        values = np.array(self.recorder.rows(tables.ESTIMATE).values)[:, -1]
        return dict(zip([column.name for column in tables.ESTIMATE.columns], values.tolist(), strict=True))


def test_with_perfect_meters_everywhere_the_twin_is_the_plant() -> None:
    """The head's meter may err: exact meters are believed, not the head."""
    area = Area(PERFECT)
    area.expected(900, 1_200)
    row = area.row()
    assert row["load_kw"] == pytest.approx(area.scenario.demand(900)[0].sum(), abs=SAME_KW)
    assert row["load_kw"] != pytest.approx(row["forecast_load_kw"], rel=1e-3)
    drawn = area.plant.feeder_power_kva().sum()
    assert [row["head_p_kw"], row["head_q_kvar"]] == pytest.approx([drawn.real, drawn.imag], abs=SAME_HEAD_KW)
    assert abs(row["head_p_error_kw"]) > 1.0
    assert np.abs(area.twin.circuit.node_v_pu() - area.plant.node_v_pu()).max() < SAME_PU


@pytest.mark.parametrize("lda", ["lda1", "lda2"])
def test_with_few_noisy_meters_it_is_nearer_to_the_plant_than_the_forecast(lda: str) -> None:
    """Errors over the gates of an hour, root of the mean square. Twelve draws of the head's meter, which errs
    by 0.5 % of the peak, have less than twice its standard deviation."""
    area = Area(lda=lda)
    estimated, forecast = [], []
    for step in range(0, 3_600, INTERVAL_S):
        area.expected(step, step + INTERVAL_S)
        kva, v = area.plant.feeder_power_kva().sum(), area.plant.node_v_pu()
        found_v = area.twin.circuit.node_v_pu()
        row = area.row()
        before = area.scenario.day_ahead_demand(step, STEP_S)
        area.twin.set_conditions(Conditions(v_pu=V_PU, demand_kw=before.kw, demand_kvar=before.kvar))
        blind = area.twin.feeder_power_kva(area.der_kw, np.zeros(len(area.scenario.fleet)))[0]
        blind_v = area.twin.circuit.node_v_pu()
        estimated.append((row["head_p_kw"] - kva.real, np.abs(found_v - v).max()))
        forecast.append((blind.real - kva.real, np.abs(blind_v - v).max()))
    found, blind_ = (np.sqrt(np.mean(np.square(errors), axis=0)) for errors in (estimated, forecast))
    sigma_kw = 0.005 * area.scenario.peak_kw.sum()
    assert found[0] < 2.0 * sigma_kw
    assert (found < 0.7 * blind_).all()


def test_a_forecast_of_long_ago_is_that_of_the_day_before() -> None:
    """An error that is gone after a second does not reach the interval; one that lasts reaches it whole."""
    step, interval = 900, 1_200
    gone, lasting = Area(("estimation.persistence=1 s",)), Area(("estimation.persistence=365 d",))
    before = gone.scenario.day_ahead_demand(interval, INTERVAL_S)
    np.testing.assert_allclose(gone.expected(step, interval).demand_kw, before.kw, rtol=1e-12)
    moved = lasting.expected(step, interval).demand_kw.sum() / before.kw.sum()
    row = lasting.row()
    assert moved == pytest.approx(row["load_kw"] / row["forecast_load_kw"], rel=0.01)
    assert abs(moved - 1.0) > 0.01


def test_the_same_telemetry_gives_the_same_estimate_whatever_was_asked_before() -> None:
    used, fresh = Area(), Area()
    used.expected(0, 300)
    used.expected(600, 900)
    fresh.telemetry(0)
    fresh.telemetry(600)
    one, other = used.expected(900, 1_200), fresh.expected(900, 1_200)
    np.testing.assert_allclose(one.demand_kw, other.demand_kw, rtol=1e-6)


def test_the_lead_in_is_not_recorded() -> None:
    area = Area()
    area.expected(-300, 0)
    assert "estimate" not in area.recorder.tables
    area.expected(0, 300)
    assert area.recorder.ids(tables.ESTIMATE) == ("lda2/urban1",)
