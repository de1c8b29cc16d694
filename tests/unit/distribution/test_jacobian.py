"""The Jacobian against the circuit: central differences, adjoints, moves, and load models off their range."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from federates.core.arrays import FloatArray
from federates.core.errors import ConfigError
from federates.distribution.circuit import Circuit, CircuitLayout
from federates.distribution.jacobian import LINEAR_POWER, Jacobian, NodalNetwork
from federates.distribution.layout import Control, Terminal
from federates.distribution.legs import load_legs
from federates.distribution.load_models import LoadModels
from federates.distribution.master import der_command
from tests.unit.dso.area import Area, area, standing_area

STEP_SHARE = 0.2
"""Central differences need steps far above the tolerance; their own error is of the third order."""
COLUMN_SHARE = 0.01
"""Greatest error of a column over the column's greatest entry; 1.4e-5 is what is found."""
BALANCE_SHARE = 1e-9
"""Currents that are left at a node over the greatest current: the circuit is solved to 1e-10."""
MOVES = {"ieee123": (100, 0.003), "north_american 4000": (400, 0.006)}
"""DERs, and the greatest error [pu] allowed after a move of half of their sizes."""
LINEAR_PU = {"ieee123": 0.0035, "north_american 4000": 0.006}
"""The same of the linear map, which rows of programs are: 0.0033 and 0.0015 pu are found where all DERs
together go from nothing to drawing half of their sizes, so that the feeder draws half more."""
ROUND_OFF_PU = 1e-15
TOLD_SHARE = 0.4
"""How well the map's own estimate of its error meets it."""


def differences(one: Area, ders: range) -> tuple[FloatArray, FloatArray]:
    """Change of |V| by kW and by kvar, in the circuit, shape (nodes, ders). [pu]"""
    found = []
    for reactive in (False, True):
        columns = []
        for der in ders:
            step = STEP_SHARE * one.size_kw[der]
            solved = []
            for sign in (1, -1):
                move = np.zeros(one.size_kw.size)
                move[der] = sign * step
                zero = np.zeros_like(move)
                one.circuit.set_ders(*((zero, move) if reactive else (move, zero)))
                one.circuit.solve(Control.OFF)
                solved.append(one.circuit.node_v_pu())
            columns.append((solved[0] - solved[1]) / (2 * step))
        found.append(np.stack(columns, axis=1))
    return found[0], found[1]


def at_rest(one: Area) -> Jacobian:
    """Jacobian where no DER injects."""
    nothing = np.zeros(one.size_kw.size)
    one.circuit.set_ders(nothing, nothing)
    one.circuit.solve(Control.OFF)
    return NodalNetwork(one.circuit).at_present()


@pytest.mark.parametrize("feeder", MOVES)
def test_columns_equal_central_differences(feeder: str) -> None:
    count = MOVES[feeder][0]
    one = standing_area(feeder, count, 1.0, 1.0)
    jacobian = at_rest(one)
    ratings = one.circuit.load_ratings()
    assert ratings.is_delta.any()
    if feeder != "ieee123":
        assert (ratings.is_delta & (ratings.phases_count == 3)).any()
        assert any(b.ends_count == 3 for b in one.circuit.branches())
    ders = range(0, count, count // 20)
    direction = np.conj(jacobian.node_v) / np.abs(jacobian.node_v) / jacobian.base_v
    worst = 0.0
    for mine, true in zip(jacobian.columns_v(np.array(ders)), differences(one, ders), strict=True):
        slope = (direction[:, None] * mine).real
        assert np.abs(true).max(axis=0).min() > 1e-6
        worst = max(worst, float((np.abs(slope - true).max(axis=0) / np.abs(true).max(axis=0)).max()))
    print(f"{feeder}: columns within {worst:.1e} of central differences")
    assert worst < COLUMN_SHARE


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveErrors:
    """Greatest errors after moves, shape (moves,) each, the last two all DERs up and down by half. [pu]"""

    found: FloatArray
    """Of the map."""
    linear: FloatArray
    """Of its linear part alone."""
    told: FloatArray
    """What the map says that its linear part is wrong by."""
    moved: FloatArray
    """How far a voltage moved."""


def errors_of_moves(one: Area, from_kw: FloatArray) -> MoveErrors:
    """Each DER for itself by up to half of its size or by just half of it, and all together by half."""
    circuit, nothing = one.circuit, np.zeros(one.size_kw.size)
    rng = np.random.default_rng(2)
    apart = [rng.uniform(-0.5, 0.5, (20, nothing.size)), rng.choice([-0.5, 0.5], (20, nothing.size))]
    together = np.array([[0.5], [-0.5]]) * np.ones(nothing.size)
    circuit.set_ders(from_kw, nothing)
    circuit.solve(Control.OFF)
    jacobian = NodalNetwork(circuit).at_present()
    before = np.abs(jacobian.node_v) / jacobian.base_v
    errors = []
    for move in np.concatenate([*apart, together]) * one.size_kw:
        found, linear = jacobian.voltage_pu(move, nothing), jacobian.linear_pu(move)
        circuit.set_ders(from_kw + move, nothing)
        circuit.solve(Control.OFF)
        v = circuit.node_v_pu()
        pairs = ((found, v), (linear, v), (linear, found), (before, v))
        errors.append([float(np.abs(a - b).max()) for a, b in pairs])
    found, linear, told, moved = np.array(errors).T
    return MoveErrors(found=found, linear=linear, told=told, moved=moved)


@pytest.mark.parametrize("feeder", MOVES)
@pytest.mark.parametrize("dispatch", [0.0, 0.5])
def test_error_after_half_of_the_ders_size_stays_in_bounds(feeder: str, dispatch: float) -> None:
    """From rest, and from the middle of what generation can do; a move of half goes to either end of it."""
    count, allowed_pu = MOVES[feeder]
    one = standing_area(feeder, count, 1.0, 1.0)
    errors = errors_of_moves(one, dispatch * one.size_kw)
    shown = [
        f"{of} {e[:-2].max():.5f} pu each for itself by up to half of its size, {e[-2]:.5f}, {e[-1]:.5f} pu"
        for of, e in (("map", errors.found), ("linear part", errors.linear), ("moves", errors.moved))
    ]
    print(
        f"{feeder}, DERs of the whole load, from {dispatch:.0%} of their size, taps frozen: "
        f"{'; '.join(shown)} all together up and down by half"
    )
    assert errors.found.max() <= allowed_pu
    assert errors.linear.max() <= LINEAR_PU[feeder]
    # One correction leaves a third of the bound at most, and tells how far the rows can be trusted.
    assert errors.found.max() <= allowed_pu / 3
    np.testing.assert_allclose(errors.told, errors.linear, rtol=TOLD_SHARE)
    # Errors mean little unless voltages did move; and those of the linear part are of the second order.
    assert errors.moved[:-2].max() > 5 * errors.linear[:-2].max()
    assert errors.linear[-2:].max() < 0.1 * errors.moved[-2:].min()


def two_buses(r_pu: float, x_pu: float) -> Circuit:
    """A DER at the end of an impedance behind a stiff source; 1 pu is 1 MVA at 4.16 kV."""
    r_ohm, x_ohm = r_pu * 4.16**2, x_pu * 4.16**2
    impedance = f"r1={r_ohm} r0={r_ohm} x1={x_ohm} x0={x_ohm} c1=0 c0=0"
    script = (
        "new circuit.x bus1=mv phases=3 basekv=4.16 pu=1 angle=0 r1=0 x1=1e-7 r0=0 x0=1e-7",
        f"new line.l bus1=mv bus2=end phases=3 length=1 {impedance}",
        der_command("d", "end.1.2.3", 3, 4.16),
        "set voltagebases=(4.16)",
        "calcvoltagebases",
    )
    head = (Terminal(element="Line.l", number=1),)
    layout = CircuitLayout(
        name="x", loads=(), ders=("d",), regulators=(), interface=head, feeder_heads=(head,)
    )
    return Circuit(script, tolerance=1e-10, layout=layout)


def error_pu(circuit: Circuit, p_kw: float, power: int) -> float:
    """Error at the circuit's end, after a move from rest, of a map that is linear in |V|^power."""
    p, nothing = np.array([p_kw]), np.zeros(1)
    circuit.set_ders(nothing, nothing)
    circuit.solve(Control.OFF)
    jacobian = NodalNetwork(circuit).at_present()
    linear = (1.0 + power * jacobian.dv_pu(p)[-1]) ** (1 / power)
    if power == LINEAR_POWER:
        assert jacobian.linear_pu(p)[-1] == pytest.approx(linear, abs=1e-12)
    circuit.set_ders(p, nothing)
    circuit.solve(Control.OFF)
    return float(abs(linear - circuit.node_v_pu()[-1]))


def test_one_resistance_makes_the_cube_of_the_voltage_linear_to_second_order() -> None:
    """P = V (V - 1) / R, so V = 1/2 + sqrt(1/4 + R P) and V^3 = 1 + 3 RP + 0 (RP)^2 - ...

    Twice the move is then eight times the error, where the square's grows fourfold. Behind R + jR the fourth
    power is the linear one (2 + |Z|^2 / R^2): the cube then halves the square's error.
    """
    resistance, both = two_buses(0.05, 0.0), two_buses(0.05, 0.05)
    for sign in (1, -1):
        half, whole = (error_pu(resistance, sign * p_kw, LINEAR_POWER) for p_kw in (250.0, 500.0))
        assert whole == pytest.approx(8 * half, rel=0.15)
        squared_half, squared = (error_pu(resistance, sign * p_kw, 2) for p_kw in (250.0, 500.0))
        assert squared == pytest.approx(4 * squared_half, rel=0.15)
        assert squared > 5 * whole
        assert error_pu(both, sign * 250.0, 3) == pytest.approx(
            0.5 * error_pu(both, sign * 250.0, 2), rel=0.1
        )


def test_rows_equal_columns() -> None:
    one = standing_area("ieee123", 100, 1.0, 1.0)
    jacobian = at_rest(one)
    nodes = np.arange(0, jacobian.node_v.size, 9)
    by_p, by_q = jacobian.voltage_rows(nodes)
    rng = np.random.default_rng(3)
    p, q = rng.normal(size=(2, 100, 70))
    np.testing.assert_allclose(by_p @ p + by_q @ q, jacobian.dv_pu(p, q)[nodes], atol=ROUND_OFF_PU * 1e3)
    np.testing.assert_allclose(
        jacobian.dv_pu(p[:, 0], q[:, 0]), jacobian.dv_pu(p, q)[:, 0], atol=ROUND_OFF_PU
    )


def test_the_nodes_behind_a_centre_tap_that_the_tree_leaves_out_are_given() -> None:
    one = standing_area("north_american 1000", 100, 1.0, 1.0)
    uncovered = np.array(one.map.tree.uncovered_nodes)
    assert uncovered.size > 300
    jacobian = at_rest(one)
    by_p, _ = jacobian.voltage_rows(uncovered)
    true, _ = differences(one, range(3))
    assert np.abs(by_p[:, :3] - true[uncovered]).max() < COLUMN_SHARE * np.abs(true).max()


@pytest.mark.parametrize("feeder", ["ieee13", "ieee123", "north_american 1000"])
def test_currents_balance_at_every_node(feeder: str) -> None:
    """Y and the loads' law are the circuit's own: what is left at a node is round-off."""
    one = area(feeder, 12)
    circuit = one.circuit
    circuit.set_ders(0.5 * one.size_kw, 0.2 * one.size_kw)
    circuit.solve(Control.OFF)
    network, v = NodalNetwork(circuit), circuit.node_voltages_v()
    left = network.drawn_a()
    source = list(circuit.source_shunt().nodes)
    through = np.abs(left[source]).max()
    left[source] = 0.0
    assert np.abs(left).max() < BALANCE_SHARE * through
    assert v.size > 30


def one_load(rest: str, connection: str = "wye") -> Circuit:
    """A load on a source, so that the source is its voltage."""
    script = (
        "new circuit.x bus1=mv phases=3 basekv=4.16 pu=1 angle=0 r1=0 x1=1e-7 r0=0 x0=1e-7",
        "new line.l bus1=mv bus2=end phases=3 length=1 r1=1e-6 r0=1e-6 x1=1e-6 x0=1e-6 c1=0 c0=0",
        f"new load.d bus1=end phases=3 conn={connection} kv=4.16 kw=90 kvar=30 {rest}",
        "set voltagebases=(4.16)",
        "calcvoltagebases",
    )
    head = (Terminal(element="Line.l", number=1),)
    layout = CircuitLayout(
        name="x", loads=("d",), ders=(), regulators=(), interface=head, feeder_heads=(head,)
    )
    return Circuit(script, layout=layout)


@pytest.mark.parametrize("model", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("connection", ["wye", "delta"])
def test_loads_follow_the_engines_models_in_and_out_of_range(model: int, connection: str) -> None:
    circuit = one_load(f"model={model} vminpu=0.9 vmaxpu=1.1 cvrwatts=0.6 cvrvars=1.7", connection)
    ratings = circuit.load_ratings()
    legs, models = load_legs(circuit.load_nodes, ratings), LoadModels(ratings, circuit.layout)
    rated_va = 1e3 * circuit.loads_kva()[legs.element] * legs.share
    assert legs.element.size == 3
    for v_pu in (0.75, 0.85, 0.95, 1.05, 1.15):
        circuit.set_source(v_pu, 0.0)
        circuit.solve(Control.OFF)
        u = legs.across_v(circuit.node_voltages_v())
        drawn = models.drawn_va(legs, rated_va, u)
        assert drawn.sum() == pytest.approx(1e3 * circuit.element_powers_kva("load.d").sum(), rel=1e-6)
        a, b = models.derivative(legs, rated_va, u)
        for turn in (1.0, 1j):
            du = 1e-3 * turn
            ahead, behind = (np.conj(models.drawn_va(legs, rated_va, w) / w) for w in (u + du, u - du))
            assert a * du + b * np.conj(du) == pytest.approx((ahead - behind) / 2, rel=1e-5)


def test_a_load_model_without_a_derivative_is_named() -> None:
    circuit = one_load("model=8 zipv=(0.2 0.3 0.5 0.2 0.3 0.5 0.5)")
    with pytest.raises(ConfigError, match=r"circuit 'x': no derivative for load model 8 \(1 loads: d\)"):
        NodalNetwork(circuit)
