from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from federates.core.errors import ConfigError, DivergedError
from federates.distribution.builder import DerAttachment, FeederInstance, LdaModel, build_circuit
from federates.distribution.circuit import Circuit, CircuitLayout, Control, Terminal
from federates.distribution.tables import read_feeder

FEEDERS = Path(__file__).parents[3] / "configs" / "feeders"
IEEE13 = read_feeder(FEEDERS / "ieee13")
POWER_TOLERANCE_KVA = (
    1e-3  # the power-flow tolerance, 1e-8 of the voltage, times the feeder's 4 MVA, and margin
)
DERS = (
    DerAttachment(id="pv:675", bus="675", phases=(1, 2, 3)),
    DerAttachment(id="bat:611", bus="611", phases=(3,)),
)


def _circuit(feeders: int = 1, bus_kv: float = 138.0) -> Circuit:
    instances = tuple(
        FeederInstance(
            prefix=f"f{place}",
            feeder=IEEE13,
            ders=tuple(DerAttachment(id=f"{d.id}/{place}", bus=d.bus, phases=d.phases) for d in DERS),
        )
        for place in range(feeders)
    )
    return build_circuit(LdaModel(name="lda", bus_kv=bus_kv, feeders=instances))


def _two_bus(*, kw: float = 100.0, load: str = "", name: str = "two") -> Circuit:
    """Return one load behind a line of 0.1 + 0.2j ohm per phase on a 4.16 kV source."""
    script = (
        "new circuit.two bus1=mv phases=3 basekv=4.16 pu=1 angle=0 r1=0 x1=1e-7 r0=0 x0=1e-7",
        "new line.l bus1=mv bus2=end phases=3 length=1 r1=0.1 r0=0.1 x1=0.2 x0=0.2 c1=0 c0=0 normamps=100",
        f"new load.d bus1=end phases=3 kv=4.16 kw={kw} kvar=0 model=1 vminpu=0.02 vmaxpu=2 {load}",
        "set voltagebases=(4.16)",
        "calcvoltagebases",
    )
    head = (Terminal(element="Line.l", number=1),)
    layout = CircuitLayout(
        name=name, loads=("d",), ders=(), regulators=(), interface=head, feeder_heads=(head,)
    )
    return Circuit(script, layout=layout)


def test_voltage_and_loss_equal_the_hand_solution() -> None:
    """The load end's u = |V|^2 solves u^2 - (U^2 - 2 r p) u + (r^2 + x^2) p^2 = 0, p per phase, q = 0."""
    circuit = _two_bus(kw=900.0)
    circuit.solve(Control.OFF)
    p_w, r, x, source = 300e3, 0.1, 0.2, 4160 / math.sqrt(3)
    b = source**2 - 2 * r * p_w
    u = (b + math.sqrt(b**2 - 4 * (r**2 + x**2) * p_w**2)) / 2
    end = [place for place, node in enumerate(circuit.node_names) if node.startswith("end")]
    assert np.abs(circuit.node_voltages_v()[end]) == pytest.approx(math.sqrt(u), rel=1e-7)
    current_a = p_w / math.sqrt(u)
    assert circuit.losses_kva() == pytest.approx(3e-3 * (r + 1j * x) * current_a**2, rel=1e-5)
    assert circuit.line_loading_pu() == pytest.approx([current_a / 100], rel=1e-6)
    assert circuit.head_sequence_a() == pytest.approx([0.0, current_a, 0.0], abs=1e-4)


def test_set_powers_are_drawn_and_injected_exactly() -> None:
    circuit = _circuit()
    rng = np.random.default_rng(1)
    loads = len(circuit.layout.loads)
    p, q = rng.uniform(0, 80, loads), rng.uniform(-20, 40, loads)
    circuit.set_loads(p, q)
    circuit.set_ders(np.array([300.0, -50.0]), np.array([-100.0, 20.0]))
    circuit.solve(Control.OFF)
    models = [load.model for load in IEEE13.loads]
    for place, name in enumerate(circuit.layout.loads):
        if models[place] == "pq":
            drawn = circuit.element_powers_kva(f"load.{name}").sum()
            assert drawn == pytest.approx(p[place] + 1j * q[place], abs=POWER_TOLERANCE_KVA)
    for place, injected in enumerate((300 - 100j, -50 + 20j)):
        drawn = circuit.element_powers_kva(f"generator.der{place}").sum()
        assert drawn == pytest.approx(-injected, abs=POWER_TOLERANCE_KVA)


def test_reactive_power_survives_a_change_of_active_power() -> None:
    circuit = _two_bus()
    circuit.set_loads(np.array([100.0]), np.array([50.0]))
    circuit.set_loads(np.array([0.0]), np.array([30.0]))
    circuit.solve(Control.OFF)
    assert circuit.element_powers_kva("load.d").sum() == pytest.approx(30j, abs=POWER_TOLERANCE_KVA)


def test_a_der_stays_constant_power_far_below_nominal_voltage() -> None:
    circuit = _circuit(bus_kv=4.16)
    circuit.set_loads(np.zeros(len(circuit.layout.loads)), np.zeros(len(circuit.layout.loads)))
    circuit.set_ders(np.array([30.0, 10.0]), np.zeros(2))
    circuit.set_source(0.6, 0.0)
    circuit.solve(Control.OFF)
    assert circuit.node_v_pu().max() < 0.8
    assert circuit.element_powers_kva("generator.der0").sum().real == pytest.approx(
        -30, abs=POWER_TOLERANCE_KVA
    )


def test_interface_power_is_loads_less_ders_plus_losses() -> None:
    circuit = _circuit(feeders=2)
    circuit.set_ders(np.array([400.0, 20, 100, -30]), np.array([50.0, 0, -20, 10]))
    circuit.solve(Control.STATIC)
    loads = sum(circuit.element_powers_kva(f"load.{name}").sum() for name in circuit.layout.loads)
    loads += sum(circuit.element_powers_kva(shunt.name).sum() for shunt in circuit.shunts())
    injected = 490 + 40j
    total = circuit.head_power_kva().sum()
    assert total == pytest.approx(loads - injected + circuit.losses_kva(), abs=0.01)
    feeders = circuit.feeder_power_kva()
    assert feeders.shape == (2, 3)
    substation = circuit.element_powers_kva("Transformer.substation")
    assert feeders.sum() == pytest.approx(-substation[3:].sum(), abs=0.01)
    assert not np.allclose(feeders[0], feeders[1], rtol=1e-3)


def test_the_source_sets_magnitude_and_angle() -> None:
    circuit = _circuit(bus_kv=4.16)
    circuit.set_source(1.03, -25.0)
    circuit.solve(Control.OFF)
    head = [circuit.node_names.index(f"mv.{phase}") for phase in (1, 2, 3)]
    assert circuit.node_v_pu()[head] == pytest.approx(1.03, abs=1e-6)
    angles = np.angle(circuit.node_voltages_v()[head], deg=True)
    assert angles == pytest.approx([-25.0, -145.0, 95.0], abs=1e-4)


def test_static_control_brings_every_relay_into_its_band() -> None:
    circuit = _circuit()
    assert circuit.solve(Control.STATIC).tap_moves > 0
    assert circuit.solve(Control.TIME, 3600).tap_moves == 0


def test_time_control_moves_one_step_per_delay() -> None:
    """The substation waits 30 s, the feeder's regulators 45 s; LDC makes all of them rise under load."""
    circuit = _circuit()
    substation, *others = range(len(circuit.layout.regulators))
    circuit.set_source(0.97, 0.0)
    assert circuit.solve(Control.TIME, 29).tap_moves == 0
    circuit.solve(Control.TIME, 1)
    assert circuit.taps()[substation] == 1
    assert not circuit.taps()[others].any()
    circuit.solve(Control.TIME, 15)
    assert list(circuit.taps()[others]) == [1, 1, 1]
    circuit.solve(Control.TIME, 15)
    assert circuit.taps()[substation] == 2


def test_one_long_step_equals_many_short_ones() -> None:
    long, short = _circuit(), _circuit()
    long.solve(Control.TIME, 360)
    for _ in range(24):
        short.solve(Control.TIME, 15)
    assert np.abs(long.taps()).sum() > 10
    assert list(long.taps()) == list(short.taps())


def test_time_control_comes_to_rest() -> None:
    circuit = _circuit()
    circuit.solve(Control.TIME, 3600)
    assert np.abs(circuit.taps()).sum() > 0
    assert circuit.solve(Control.STATIC).tap_moves == 0


def test_taps_stay_when_control_is_off() -> None:
    circuit = _circuit()
    assert circuit.solve(Control.OFF).tap_moves == 0
    assert not circuit.taps().any()


def test_restored_circuits_go_on_like_the_one_saved_and_with_the_same_bits() -> None:
    first, second, third = _circuit(), _circuit(), _circuit()
    loads = len(first.layout.loads)
    first.set_loads(np.full(loads, 90.0), np.full(loads, 20.0))
    first.set_ders(np.array([100.0, 20.0]), np.array([10.0, 0.0]))
    first.set_source(0.98, 2.0)
    first.solve(Control.TIME, 100)
    state = first.save()
    assert state["timers_s"].any()
    second.restore(state)
    third.restore(state)
    for circuit in (first, second, third):
        circuit.set_loads(np.full(loads, 80.0), np.full(loads, 30.0))
        circuit.set_ders(np.array([150.0, -20.0]), np.array([0.0, 5.0]))
        circuit.set_source(1.01, 3.0)
        circuit.solve(Control.TIME, 60)
    assert list(first.taps()) == list(second.taps())
    assert first.node_v_pu() == pytest.approx(second.node_v_pu(), abs=1e-7)
    assert second.node_voltages_v().tobytes() == third.node_voltages_v().tobytes()


def test_circuits_do_not_see_each_other() -> None:
    one, other = _circuit(), _circuit()
    before = other.node_v_pu().copy()
    one.set_source(0.9, 0.0)
    one.set_taps(np.full(4, 5.0))
    one.solve(Control.OFF)
    other.solve(Control.OFF)
    assert other.node_v_pu() == pytest.approx(before, abs=1e-7)


def test_divergence_is_an_error_that_names_the_circuit() -> None:
    with pytest.raises(DivergedError, match="circuit 'weak'"):
        _two_bus(kw=60_000.0, name="weak")


def test_a_circuit_recovers_after_divergence() -> None:
    circuit = _circuit()
    loads = len(circuit.layout.loads)
    circuit.set_loads(np.full(loads, 50.0), np.zeros(loads))
    circuit.solve(Control.OFF)
    before = circuit.node_v_pu()
    circuit.set_loads(np.full(loads, 30_000.0), np.zeros(loads))
    with pytest.raises(DivergedError):
        circuit.solve(Control.OFF)
    circuit.set_loads(np.full(loads, 50.0), np.zeros(loads))
    circuit.solve(Control.OFF)
    assert circuit.node_v_pu() == pytest.approx(before, abs=1e-7)


def test_a_layout_that_misses_a_load_is_refused() -> None:
    head = (Terminal(element="Line.l", number=1),)
    script = (
        "new circuit.two bus1=mv phases=3 basekv=4.16",
        "new line.l bus1=mv bus2=end phases=3 length=1",
        "new load.d bus1=end phases=3 kv=4.16 kw=1 kvar=0",
        "set voltagebases=(4.16)",
        "calcvoltagebases",
    )
    layout = CircuitLayout(name="x", loads=(), ders=(), regulators=(), interface=head, feeder_heads=(head,))
    with pytest.raises(ConfigError, match="each load of the script"):
        Circuit(script, layout=layout)


def test_branch_currents_follow_from_the_primitive_admittance() -> None:
    circuit = _circuit()
    circuit.solve(Control.STATIC)
    voltage = circuit.node_voltages_v()
    kinds = set()
    for branch in circuit.branches():
        nodes = [*branch.nodes1, *branch.nodes2]
        power = 1e-3 * voltage[nodes] * np.conj(circuit.yprim(branch.name) @ voltage[nodes])
        assert power == pytest.approx(circuit.element_powers_kva(branch.name), abs=2e-2)
        kinds.add(branch.kind)
    assert kinds == {"line", "regulator", "transformer"}


def test_transformer_loading_is_power_over_rating() -> None:
    circuit = _circuit()
    circuit.solve(Control.STATIC)
    loading = dict(zip(circuit.transformer_ids, circuit.transformer_loading_pu(), strict=True))
    assert loading["Transformer.substation"] == pytest.approx(abs(circuit.head_power_kva().sum()) / 5000)


def test_impedance_and_current_loads_follow_their_voltage_after_a_change() -> None:
    circuit = _circuit(bus_kv=4.16)
    p = np.array([0.5 * load.kw for load in IEEE13.loads])
    q = np.array([0.25 * load.kvar for load in IEEE13.loads])
    circuit.set_loads(p, q)
    circuit.set_source(0.93, 0.0)
    circuit.solve(Control.OFF)
    volts = circuit.node_voltages_v()
    seen = set()
    for place, load in enumerate(IEEE13.loads):
        nodes = circuit.load_nodes[place]
        if len(nodes) == 3:
            continue
        across = volts[nodes[0]] - (volts[nodes[1]] if len(nodes) == 2 else 0)
        exponent = {"pq": 0, "i": 1, "z": 2}[load.model]
        expected = (p[place] + 1j * q[place]) * (abs(across) / (1e3 * load.kv)) ** exponent
        drawn = circuit.element_powers_kva(f"load.f0_{load.name}").sum()
        assert drawn == pytest.approx(expected, abs=1e-3)
        seen.add((load.model, abs(abs(across) / (1e3 * load.kv) - 1) > 0.03))
    assert {("i", True), ("z", True)} <= seen
