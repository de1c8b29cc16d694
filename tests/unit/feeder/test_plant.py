from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from federates.core.der_settings import BatterySettings, DerMix, GeneratorSettings, PvSettings
from federates.core.errors import ConfigError, ModelError
from federates.der.catalog import Behaviour, build_fleet
from federates.der.fleet import joined, taken
from federates.der.inverter import volt_var_kvar, volt_watt_kw
from federates.der.mix import Mix
from federates.der.model import plain_interval
from federates.distribution.builder import (
    DerAttachment,
    FeederInstance,
    FeederZones,
    LdaModel,
    build_circuit,
    feeder_zones,
)
from federates.distribution.circuit import Circuit, CircuitLayout, Control, Terminal
from federates.distribution.local_control import LocalControl
from federates.distribution.master import der_command
from federates.distribution.tables import read_feeder
from federates.feeder.plant import Plant
from federates.feeder.statistics import node_statistics, overloaded_count

IEEE13 = read_feeder(Path(__file__).parents[3] / "configs" / "feeders" / "ieee13")
CURTAILMENT_USD_PER_MWH = 5.0
ATTACHMENTS = (("pv", "675", (1, 2, 3)), ("battery", "611", (3,)), ("delta", "671", (1, 2)))
FLEET = build_fleet(
    IEEE13,
    Mix(
        ders=DerMix(
            pv=PvSettings(power=100.0),
            battery=BatterySettings(power=100.0, energy=200.0),
            generator=GeneratorSettings(power=50.0, least_output=0.0, ramp_per_minute=1.0),
        )
    ),
    1,
)


def _behaviour(soc_kwh: float = 100.0, feeders: int = 1) -> Behaviour:
    """PV of 400 kW, a battery of 100 kW and 200 kWh at 0.9 each way, a small generator, per feeder."""
    one = taken(FLEET, np.array([FLEET.kind.index(k) for k in ("pv", "battery", "generator")]))
    one = replace(
        one,
        ids=tuple(name for name, _, _ in ATTACHMENTS),
        power_kw=np.array([400.0, 100.0, 50.0]),
        s_kva=np.array([440.0, 125.0, 50.0]),
        energy_kwh=np.array([0.0, 200.0, 0.0]),
        initial_kwh=np.array([0.0, soc_kwh, 0.0]),
        charge_efficiency=np.array([1.0, 0.9, 1.0]),
        discharge_efficiency=np.array([1.0, 0.9, 1.0]),
    )
    return Behaviour(joined([one] * feeders, [f"f{k}_" for k in range(feeders)]))


def _instances(feeders: int) -> tuple[FeederInstance, ...]:
    return tuple(
        FeederInstance(
            prefix=f"f{place}",
            feeder=IEEE13,
            ders=tuple(DerAttachment(id=f"{n}{place}", bus=bus, phases=ph) for n, bus, ph in ATTACHMENTS),
        )
        for place in range(feeders)
    )


def _plant(soc_kwh: float = 100.0, feeders: int = 1) -> Plant:
    lda = LdaModel(name="lda", bus_kv=138.0, feeders=_instances(feeders))
    circuit = build_circuit(lda)
    return Plant(circuit, _behaviour(soc_kwh, feeders), feeder_zones(lda, circuit))


def _begin(plant: Plant, set_point_kw: tuple[float, ...], dt_s: int = 60, sun_kw: float = 400.0) -> None:
    feeders = len(set_point_kw) // 3
    loads = len(plant.circuit.layout.loads)
    plant.begin_step(
        demand_p_kw=np.full(loads, 60.0),
        demand_q_kvar=np.full(loads, 25.0),
        interval=plain_interval(
            dt_s, np.tile([0.0, -100.0, 0.0], feeders), np.tile([sun_kw, 100.0, 50.0], feeders)
        ),
        set_point_kw=np.array(set_point_kw),
        set_point_kvar=np.zeros(len(set_point_kw)),
    )


@pytest.mark.parametrize("passes", [1, 2, 7])
def test_stepping_twice_equals_stepping_once(passes: int) -> None:
    once, often = _plant(), _plant()
    for plant, count in ((once, 1), (often, passes)):
        for _ in range(3):
            _begin(plant, (300.0, -80.0, 10.0))
            plant.solve(0.99, 0.0, Control.TIME)
            for _ in range(count - 1):
                plant.solve(0.99, 0.0, Control.OFF)
            plant.accept()
    assert once.state.energy_kwh[1] == pytest.approx(100 + 3 * 80 * 0.9 / 60, rel=1e-12)
    assert list(often.state.energy_kwh) == list(once.state.energy_kwh)
    assert np.abs(once.circuit.taps()).sum() > 0
    assert list(often.circuit.taps()) == list(once.circuit.taps())


def test_energy_is_committed_only_by_accept_and_only_once() -> None:
    plant = _plant()
    _begin(plant, (0.0, 100.0, 0.0))
    with pytest.raises(ModelError, match="nothing solved"):
        plant.accept()
    plant.solve(1.0, 0.0, Control.OFF)
    assert plant.state.energy_kwh[1] == 100.0
    plant.accept()
    assert plant.state.energy_kwh[1] == pytest.approx(100 - 100 / 0.9 / 60, rel=1e-12)
    with pytest.raises(ModelError, match="nothing solved"):
        plant.accept()
    with pytest.raises(ModelError, match="without a step"):
        plant.solve(1.0, 0.0, Control.OFF)


@pytest.mark.parametrize("control", [Control.TIME, Control.STATIC])
def test_regulators_act_in_the_first_pass_only(control: Control) -> None:
    plant = _plant()
    _begin(plant, (0.0, 0.0, 0.0))
    plant.solve(1.0, 0.0, control)
    with pytest.raises(ModelError, match="first pass"):
        plant.solve(1.0, 0.0, control)


def test_injection_is_what_the_head_sees() -> None:
    plant = _plant()
    _begin(plant, (0.0, 0.0, 0.0))
    idle = plant.solve(1.0, 0.0, Control.OFF)
    losses = plant.circuit.losses_kva().real
    _begin(plant, (300.0, 60.0, 40.0))
    busy = plant.solve(1.0, 0.0, Control.OFF)
    saved = idle.p_kw.sum() - busy.p_kw.sum() - (losses - plant.circuit.losses_kva().real)
    # The constant-impedance and constant-current loads, 120 kW here, follow the voltage: a few per cent.
    assert saved == pytest.approx(400.0, abs=5.0)


def test_pv_follows_the_lower_of_set_point_and_sun() -> None:
    plant = _plant()
    _begin(plant, (350.0, 0.0, 0.0), sun_kw=120.0)
    assert plant.p_kw[0] == 120.0
    _begin(plant, (90.0, 0.0, 0.0), sun_kw=120.0)
    assert plant.p_kw[0] == 90.0
    _begin(plant, (900.0, 0.0, 0.0), sun_kw=1000.0)
    assert plant.p_kw[0] == 400.0


def test_reactive_power_stays_in_the_inverters_circle_and_a_generator_gives_none() -> None:
    p_kw = np.array([400.0, 75.0, 40.0])
    q_kvar = _behaviour().reactive_kvar(p_kw, np.array([500.0, -200.0, 10.0]))
    assert q_kvar == pytest.approx([np.sqrt(440**2 - 400**2), -100.0, 0.0])


def test_restored_plants_go_on_like_the_one_saved_and_with_the_same_bits() -> None:
    first, second, third = _plant(), _plant(), _plant()
    for _ in range(3):
        _begin(first, (100.0, 50.0, 10.0))
        first.solve(0.97, 0.0, Control.TIME)
        first.accept()
    state = first.save()
    second.restore(state)
    third.restore(state)
    for plant in (first, second, third):
        _begin(plant, (200.0, -30.0, 20.0))
        plant.solve(1.0, 0.0, Control.TIME)
        plant.accept()
    assert np.abs(first.circuit.taps()).sum() > 0
    assert list(first.circuit.taps()) == list(second.circuit.taps())
    assert first.state.energy_kwh.tobytes() == second.state.energy_kwh.tobytes()
    assert second.circuit.node_voltages_v().tobytes() == third.circuit.node_voltages_v().tobytes()


def test_feeder_states_are_told_apart() -> None:
    plant = _plant(feeders=2)
    _begin(plant, (400.0, 100.0, 50.0, 0.0, -100.0, 0.0))
    plant.solve(1.0, 0.0, Control.OFF)
    one, two = plant.feeder_states()
    assert two.p_kw - one.p_kw == pytest.approx(650.0, abs=30.0)
    assert one.voltages.max_pu > two.voltages.max_pu
    assert one.max_loading_pu < two.max_loading_pu
    total = plant.circuit.head_power_kva().sum().real
    assert one.p_kw + two.p_kw == pytest.approx(total, rel=0.01)


def test_node_statistics_count_only_the_masked_nodes() -> None:
    v_pu = np.array([0.90, 0.94, 0.95, 1.0, 1.05, 1.055, 1.07, 5.0])
    statistics = node_statistics(v_pu, v_pu < 2)
    assert (statistics.min_pu, statistics.median_pu, statistics.max_pu) == (0.90, 1.0, 1.07)
    assert (statistics.below_a_count, statistics.above_a_count, statistics.outside_b_count) == (2, 2, 2)
    assert statistics.outside_a_count == 4


def test_an_element_at_its_rating_is_not_overloaded() -> None:
    assert overloaded_count(np.array([0.5, 1.0, 1.01, 3.0])) == 2


def test_a_fleet_of_another_size_is_refused() -> None:
    plant = _plant()
    with pytest.raises(ConfigError, match="has 3 DERs, the fleet 6"):
        Plant(plant.circuit, _behaviour(feeders=2), None)  # type: ignore[arg-type]


def test_inverters_that_follow_their_voltage_settle_on_their_curve_in_every_pass() -> None:
    """At 1.08 pu the curve of category B asks for the whole of 44 % of the rating; at 0.93 it gives it."""
    circuit = _plant().circuit
    zones = feeder_zones(LdaModel(name="lda", bus_kv=138.0, feeders=_instances(1)), circuit)
    volt_var = Plant(circuit, _behaviour(), zones, "B")
    for v_pu, sign in ((1.08, -1.0), (0.93, 1.0)):
        _begin(volt_var, (300.0, 0.0, 0.0))
        volt_var.solve(v_pu, 0.0, Control.OFF)
        terminal = LocalControl(volt_var.circuit).terminal_v_pu()
        asked = volt_var_kvar(terminal, volt_var.ders.fleet.s_kva, "B")
        held = volt_var.ders.reactive_kvar(volt_var.p_kw, asked)
        np.testing.assert_allclose(volt_var.q_kvar, held, atol=1e-4 * 440.0)
        assert sign * volt_var.q_kvar[0] > 10.0
        assert volt_var.q_kvar[2] == 0.0, "a generator has no inverter"
        first = volt_var.q_kvar.copy()
        volt_var.solve(v_pu, 0.0, Control.OFF)
        np.testing.assert_allclose(volt_var.q_kvar, first, atol=1e-4 * 440.0)
        volt_var.accept()
    assert volt_var.save()["q_kvar"].tobytes() == volt_var.q_kvar.tobytes()


def _pv_behind_a_resistance(*, volt_watt: bool) -> Plant:
    """PV of 400 kW behind 1 ohm per phase on 4.16 kV."""
    script = (
        "new circuit.x bus1=mv phases=3 basekv=4.16 pu=1 angle=0 r1=0 x1=1e-7 r0=0 x0=1e-7",
        "new line.l bus1=mv bus2=end phases=3 length=1 r1=1 r0=1 x1=0 x0=0 c1=0 c0=0 normamps=500",
        der_command("der0", "end.1.2.3", 3, 4.16),
        "set voltagebases=(4.16)",
        "calcvoltagebases",
    )
    head = (Terminal(element="Line.l", number=1),)
    layout = CircuitLayout(
        name="x", loads=(), ders=("der0",), regulators=(), interface=head, feeder_heads=(head,)
    )
    zones = FeederZones(
        node=np.zeros(6, np.int64), line=np.zeros(1, np.int64), transformer=np.zeros(0, np.int64), count=1
    )
    behaviour = Behaviour(_behaviour().fleet.select(np.array([True, False, False])))
    return Plant(Circuit(script, tolerance=1e-10, layout=layout), behaviour, zones, volt_watt=volt_watt)


def test_volt_watt_by_hand() -> None:
    """P = 400 kW (1.10 - v) / 0.04 into r = 1 ohm, from a source at 1.05: v (v - 1.05) = P r / U^2.

    With g = 0.4 / 4.16^2 / 0.04 = 0.5779: v^2 - 1.05 v = g (1.10 - v), so that
    v = (1.05 - g + sqrt((1.05 - g)^2 + 4.4 g)) / 2 = 1.0676 and P = 324.4 kW.
    """
    g = 0.4 / 4.16**2 / 0.04
    v = (1.05 - g + np.sqrt((1.05 - g) ** 2 + 4.4 * g)) / 2
    plant, free = (_pv_behind_a_resistance(volt_watt=on) for on in (True, False))
    asked = np.array([400.0])
    for one in (plant, free):
        for _ in range(2):
            one.begin_step(
                demand_p_kw=np.zeros(0),
                demand_q_kvar=np.zeros(0),
                interval=plain_interval(60, np.zeros(1), asked),
                set_point_kw=asked,
                set_point_kvar=np.zeros(1),
            )
            one.solve(1.05, 0.0, Control.OFF)
            one.accept()
    assert LocalControl(plant.circuit).terminal_v_pu() == pytest.approx([v], abs=1e-6)
    assert plant.p_kw == pytest.approx([400.0 * (1.10 - v) / 0.04], rel=1e-4)
    assert plant.p_kw == pytest.approx([324.4], abs=0.1)
    assert plant.volt_watt_kw == pytest.approx(asked - plant.p_kw)
    # Its curtailment costs what curtailment costs, and the next step begins where this one was held.
    assert plant.last.cost_usd == pytest.approx(plant.volt_watt_kw / 1e3 / 60 * CURTAILMENT_USD_PER_MWH)
    assert plant.save()["allowed_kw"] == pytest.approx(plant.p_kw, rel=1e-4)
    assert list(free.p_kw) == [400.0]
    assert not free.volt_watt_kw.any()
    assert free.last.cost_usd == 0.0


def test_volt_watt_holds_back_what_inverters_inject_and_nothing_else() -> None:
    """PV and battery come down, a generator without an inverter and a battery that charges do not."""
    circuit = _plant().circuit
    zones = feeder_zones(LdaModel(name="lda", bus_kv=138.0, feeders=_instances(1)), circuit)
    plant = Plant(circuit, _behaviour(), zones, "B", volt_watt=True)
    for battery_kw, held in ((100.0, [True, True, False]), (-100.0, [True, False, False])):
        for v_pu in (1.16, 1.0):
            _begin(plant, (400.0, battery_kw, 50.0))
            plant.solve(v_pu, 0.0, Control.OFF)
            terminal = LocalControl(circuit).terminal_v_pu()
            rated = plant.ders.fleet.power_kw
            allowed = volt_watt_kw(terminal, rated, np.zeros(3))
            asked = np.array([400.0, battery_kw, 50.0])
            expected = np.where(plant.ders.has_inverter, np.minimum(asked, allowed), asked)
            np.testing.assert_allclose(plant.p_kw, expected, atol=1e-4 * 400.0)
            assert list(plant.volt_watt_kw > 1.0) == (held if v_pu > 1.1 else [False] * 3)
            plant.accept()
