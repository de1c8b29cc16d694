from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from federates.core.errors import CollapsedError, ConfigError, DivergedError, ModelError
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


_TWO_BUS_SCRIPT = (
    "new circuit.two bus1=mv phases=3 basekv=4.16 pu=1 angle=0 r1=0 x1=1e-7 r0=0 x0=1e-7",
    "new line.l bus1=mv bus2=end phases=3 length=1 r1=0.1 r0=0.1 x1=0.2 x0=0.2 c1=0 c0=0 normamps=100",
)
"""A line of 0.1 + 0.2j ohm per phase on a 4.16 kV source."""


def _two_bus(
    *, kw: float = 100.0, load: str = "", name: str = "two", script: tuple[str, ...] = _TWO_BUS_SCRIPT
) -> Circuit:
    """Return one load behind the line."""
    script = (
        *script,
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
    assert (state["tap_pu"] != 1.0).any()
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


def test_nothing_is_read_from_a_solve_that_failed() -> None:
    circuit = _two_bus(kw=900.0)
    circuit.solve(Control.OFF)
    circuit.set_loads(np.array([60_000.0]), np.zeros(1))
    with pytest.raises(DivergedError):
        circuit.solve(Control.OFF)
    for reading in (
        circuit.node_voltages_v,
        circuit.node_v_pu,
        circuit.head_power_kva,
        circuit.feeder_power_kva,
        circuit.head_sequence_a,
        circuit.line_loading_pu,
        circuit.transformer_loading_pu,
        circuit.losses_kva,
        lambda: circuit.element_powers_kva("load.d"),
    ):
        with pytest.raises(ModelError, match="nothing to read"):
            reading()
    circuit.set_loads(np.array([900.0]), np.zeros(1))
    circuit.solve(Control.OFF)
    assert circuit.losses_kva().real > 0.0


def test_a_collapse_that_the_engine_calls_converged_is_an_error() -> None:
    """No more than U^2 / (2 (r + |z|)) = 4.16^2 / (2 (0.1 + 0.2236)) = 26.7 MW can be drawn at all.

    The engine makes the load an impedance below ``vminpu`` and finds a solution for 60 MW too.
    """
    circuit = _two_bus(load="vminpu=0.95", name="sunk")
    circuit.set_loads(np.array([7_000.0]), np.zeros(1))
    circuit.solve(Control.OFF)
    circuit.set_loads(np.array([60_000.0]), np.zeros(1))
    with pytest.raises(CollapsedError, match=r"'sunk': voltage collapse: 1 loads, first 'd'"):
        circuit.solve(Control.OFF)
    assert circuit._solution.Converged
    with pytest.raises(ModelError, match="nothing to read"):
        circuit.node_v_pu()
    # A load that draws nothing cannot fail to be served, however low the source.
    circuit.set_loads(np.zeros(1), np.zeros(1))
    circuit.set_source(0.5, 0.0)
    circuit.solve(Control.OFF)
    assert circuit.node_v_pu().max() < 0.51


def test_a_regulator_that_hunts_is_an_error() -> None:
    """A band of 0.2 V between steps of 0.75 V: the relay asks for one more, then for one less, for ever."""
    script = (
        "new circuit.hunt bus1=mv phases=3 basekv=4.16 pu=1 angle=0 r1=0 x1=1e-7 r0=0 x0=1e-7",
        (
            "new transformer.reg phases=3 windings=2 buses=(mv end) conns=(wye wye) kvs=(4.16 4.16) "
            "kvas=(5000 5000) xhl=0.01 %loadloss=0.001 wdg=2 maxtap=1.1 mintap=0.9 numtaps=32"
        ),
        "new regcontrol.reg transformer=reg winding=2 vreg=120.4 band=0.2 ptratio=20.0148 delay=1",
        "new load.d bus1=end phases=3 kv=4.16 kw=100 kvar=0 model=1 vminpu=0.7",
        "set voltagebases=(4.16)",
        "calcvoltagebases",
    )
    head = (Terminal(element="Transformer.reg", number=1),)
    layout = CircuitLayout(
        name="hunt", loads=("d",), ders=(), regulators=("reg",), interface=head, feeder_heads=(head,)
    )
    circuit = Circuit(script, layout=layout)
    with pytest.raises(DivergedError, match="'hunt': regulators moved 2000 times"):
        circuit.solve(Control.TIME, 3600)
    with pytest.raises(ModelError, match="nothing to read"):
        circuit.head_power_kva()


def test_a_capacitor_that_hunts_overruns_the_controls_and_is_an_error() -> None:
    """The bank lifts the 118.7 V that switch it on to 121.5 V, where it switches off."""
    script = (
        *_TWO_BUS_SCRIPT,
        "new capacitor.bank bus1=end phases=3 kv=4.16 kvar=2000 states=(0)",
        (
            "new capcontrol.bank element=line.l terminal=2 capacitor=bank type=voltage ptratio=20 "
            "onsetting=119 offsetting=120 delay=0 delayoff=0 deadtime=0"
        ),
    )
    circuit = _two_bus(kw=2000.0, script=script)
    circuit.solve(Control.OFF)
    with pytest.raises(DivergedError, match="Control Iterations Exceeded"):
        circuit.solve(Control.STATIC)
    with pytest.raises(ModelError, match="nothing to read"):
        circuit.head_power_kva()


def test_a_tap_that_the_engine_moved_is_saved_to_the_last_bit() -> None:
    """The engine adds up steps: 6 of 0.00625 are not 1 + 6 x 0.00625 in floating point."""
    first, second = _circuit(), _circuit()
    first.solve(Control.STATIC)
    state = first.save()
    assert not np.array_equal(state["tap_pu"], 1.0 + first.taps() * 0.00625)
    second.restore(state)
    assert second.save()["tap_pu"].tobytes() == state["tap_pu"].tobytes()
    assert list(second.taps()) == list(first.taps())
    second.solve(Control.OFF)
    assert second.node_v_pu() == pytest.approx(first.node_v_pu(), abs=1e-7)


BANK = (
    *_TWO_BUS_SCRIPT,
    "new capacitor.bank bus1=end phases=3 kv=4.16 kvar=(200 200) numsteps=2 states=(1 0)",
    (
        "new capcontrol.bank element=line.l terminal=1 capacitor=bank type=voltage ptratio=20 "
        "onsetting=119 offsetting=125 delay=0 delayoff=0"
    ),
)


def test_capacitor_steps_are_saved_and_restored() -> None:
    first, second = _two_bus(kw=2000.0, script=BANK), _two_bus(kw=2000.0, script=BANK)
    assert list(first.save()["capacitors"]) == [1.0, 0.0]
    for circuit in (first, second):
        circuit.set_source(0.95, 0.0)
    first.solve(Control.STATIC)
    state = first.save()
    assert list(state["capacitors"]) == [1.0, 1.0]
    second.solve(Control.OFF)
    before = second.node_v_pu().min()
    second.restore(state)
    second.solve(Control.OFF)
    assert second.node_v_pu().min() > before + 1e-3
    assert second.node_v_pu() == pytest.approx(first.node_v_pu(), abs=1e-7)
    assert second.save()["capacitors"].tobytes() == state["capacitors"].tobytes()


def test_what_if_solves_leave_no_trace() -> None:
    """Two circuits play the same hour; one is asked for other loads and DERs between the steps."""
    plain, asked = _circuit(), _circuit()
    loads = len(plain.layout.loads)
    base = np.array([load.kw for load in IEEE13.loads]), np.array([load.kvar for load in IEEE13.loads])
    for step in range(8):
        for circuit in (plain, asked):
            circuit.set_loads((0.6 + 0.1 * step) * base[0], base[1])
            circuit.set_ders(np.zeros(2), np.zeros(2))
            circuit.solve(Control.TIME, 60)
        kept = asked.save()
        asked.set_loads(np.full(loads, 5.0), np.zeros(loads))
        asked.set_ders(np.array([900.0, 300.0]), np.zeros(2))
        asked.solve(Control.OFF)
        assert abs(asked.node_v_pu() - plain.node_v_pu()).max() > 0.01
        for key, value in asked.save().items():
            assert value.tobytes() == kept[key].tobytes()
    assert np.abs(plain.taps()).sum() > 10
    assert plain.save()["tap_pu"].tobytes() == asked.save()["tap_pu"].tobytes()


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
        assert circuit.drawn_kva()[place] == pytest.approx(drawn, abs=1e-9)
        seen.add((load.model, abs(abs(across) / (1e3 * load.kv) - 1) > 0.03))
    assert {("i", True), ("z", True)} <= seen
