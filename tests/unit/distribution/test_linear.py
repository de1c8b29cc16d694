"""The linear map against the circuit it was taken from."""

from __future__ import annotations

import numpy as np
import pytest

from federates.core.arrays import ComplexArray, FloatArray
from federates.core.errors import ConfigError
from federates.distribution.layout import Branch, Control, Terminal
from federates.distribution.linear import DerSite, OperatingPoint, build_map
from tests.unit.dso.area import Area, area, area_of_two, standing_area

EXACT_PU = 1e-8
"""The map at its operating point, with the circuit solved to 1e-10."""
EXACT_KVA = 1e-5
SLOPE_SHARE = 0.2
"""The map keeps losses constant; at peak load their derivative is up to 0.13 per kvar."""
MOVES = ((0.25, 0.0025, 0.0004, 0.006), (0.5, 0.003, 0.0007, 0.014), (1.0, 0.0065, 0.0016, 0.04))
"""Share of DER size moved, greatest and mean |error| allowed [pu] of moves each for itself, greatest of all
together: IEEE 123, 100 % DER, a stiff bus, from rest. The map is what programs take, linear and with
constant losses; voltages after a known move are the Jacobian's (test_jacobian), up to twenty times closer.
"""


def far_kva(one: Area, k: int) -> ComplexArray:
    """Powers that leave a tree element at its far end, as the circuit states them."""
    branch = one.map.tree.branches[k]
    powers = one.circuit.element_powers_kva(branch.name)
    return -(powers[: len(branch.nodes1)] if one.map.tree.reversed_[k] else powers[len(branch.nodes1) :])


def node_v_pu(one: Area) -> FloatArray:
    return one.circuit.node_v_pu()[one.map.tree.far]


@pytest.mark.parametrize(("feeder", "ders"), [("ieee13", 12), ("ieee123", 100)])
def test_the_operating_point_is_reproduced(feeder: str, ders: int) -> None:
    one = area(feeder, ders)
    p = 0.4 * one.size_kw
    point = one.point(p)
    still = point.voltage_pu(one.map.to_map_order(p), np.zeros(ders))
    assert np.abs(still - node_v_pu(one)).max() < EXACT_PU
    assert one.map.branch_phases_count > 30
    # Flows come from voltages alone; the circuit's own element powers are the independent answer.
    for k in range(len(one.map.tree.branches)):
        np.testing.assert_allclose(point.s_kva[one.map.tree.element == k], far_kva(one, k), atol=EXACT_KVA)
    head = one.circuit.feeder_power_kva()[0].sum()
    assert point.p_head_kw == pytest.approx(head.real, abs=EXACT_KVA)
    assert point.q_head_kvar == pytest.approx(head.imag, abs=EXACT_KVA)


@pytest.mark.parametrize(
    ("feeder", "ders", "uncovered"),
    [
        ("ieee13", 12, 0),
        ("ieee123", 100, 0),
        ("synthetic 1000", 100, 0),
        ("north_american 1000", 100, 346),  # 173 centre-tapped services
    ],
)
def test_the_voltage_recursion_needs_no_offset(feeder: str, ders: int, uncovered: int) -> None:
    """w2 = a2 w1 - 2 Re(g Z conj S) - |Z I|^2 from the head's voltage and the flows that OpenDSS states."""
    one = standing_area(feeder, ders, 1.0, 1.0)
    point = one.point(0.4 * one.size_kw)
    v = one.circuit.node_voltages_v()
    tree, c = one.map.tree, point.coefficients
    flows = np.concatenate([far_kva(one, k) for k in range(len(tree.branches))])
    s_kva = np.empty_like(flows)
    s_kva[np.argsort(tree.element, kind="stable")] = flows
    drop = c.real @ s_kva.real + c.imag @ s_kva.imag
    z_i = np.zeros(tree.far.size)
    head_w = np.zeros(tree.far.size)
    for group, a, y in zip(one.map.groups, one.series.a, one.series.y_s, strict=True):
        k = group.far.shape[1]
        rise = np.einsum("nij,nj->ni", a, v[group.near]) - v[group.far]
        place = group.branch_phases
        z_i[place] = (np.abs(rise) / one.map.base_v[place]) ** 2
        ratio = np.einsum("nij,nj->ni", a, v[group.near])
        at_head = tree.parent[place] < 0
        head_w[place[at_head]] = (np.abs(ratio[at_head]) / one.map.base_v[place[at_head]]) ** 2
        assert y.shape[1] == 2 * k
    w = c.solve_tree.solve(head_w - drop - z_i)
    assert np.abs(np.sqrt(w) - node_v_pu(one)).max() < EXACT_PU
    # Every node below the head is either given or named as not covered.
    assert len(tree.uncovered_nodes) == uncovered
    assert tree.far.size + uncovered == len(one.circuit.node_names) - 3


@pytest.mark.parametrize(("share", "greatest", "mean", "together"), MOVES)
def test_error_after_a_move_stays_in_bounds(
    share: float, greatest: float, mean: float, together: float
) -> None:
    one = standing_area("ieee123", 100, 1.0, 1.0)
    point = one.point(np.zeros(100))
    rng = np.random.default_rng(2)
    errors, moved = [], []
    for move in [*rng.uniform(-share, share, (20, 100)), share * np.ones(100), -share * np.ones(100)]:
        p = move * one.size_kw
        expected = point.voltage_pu(one.map.to_map_order(p), np.zeros(100))
        one.circuit.set_ders(p, np.zeros(100))
        one.circuit.solve(Control.OFF)
        errors.append(np.abs(expected - node_v_pu(one)))
        moved.append(np.abs(np.sqrt(point.w_pu2) - node_v_pu(one)).max())
    apart, both = np.array(errors[:-2]), np.array(errors[-2:])
    print(
        f"ieee123, tree's map, DERs moved by {share:.0%} of their size: {apart.max():.5f} pu at most, "
        f"{apart.mean():.5f} in the mean; all together up and down {both[0].max():.5f}, {both[1].max():.5f}"
    )
    assert apart.max() < greatest
    assert apart.mean() < mean
    assert both.max() < together
    # Errors mean little unless voltages did move.
    assert np.max(moved[:-2]) > 3 * apart.max()


def test_small_moves_agree_with_the_circuit_in_p_and_q() -> None:
    one = standing_area("ieee123", 100, 1.0, 1.0)
    point = one.point(np.zeros(100))
    before = node_v_pu(one)
    for p, q in ((0.02 * one.size_kw, np.zeros(100)), (np.zeros(100), 0.02 * one.size_kw)):
        one.circuit.set_ders(p, q)
        one.circuit.solve(Control.OFF)
        true = node_v_pu(one) - before
        mine = point.voltage_pu(one.map.to_map_order(p), one.map.to_map_order(q)) - before
        assert np.abs(true).max() > 2e-4
        assert np.abs(mine - true).max() < SLOPE_SHARE * np.abs(true).max()


def test_head_power_falls_by_what_the_ders_inject() -> None:
    one = standing_area("ieee123", 100, 1.0, 1.0)
    point = one.point(np.zeros(100))
    p = 0.02 * one.size_kw
    mapped_kw = point.head_power_kw(one.map.to_map_order(p), 0.0 * p)
    assert mapped_kw == pytest.approx(point.p_head_kw - p.sum(), rel=1e-12)
    drawn_kw = one.point(p).p_head_kw
    # what the losses lose besides is a tenth of it at most
    assert 0.0 < mapped_kw - drawn_kw < 0.1 * p.sum()


def test_adjoint_rows_equal_tree_solves() -> None:
    one = standing_area("ieee123", 100, 1.0, 1.0)
    point = one.point(np.zeros(100))
    rng = np.random.default_rng(4)
    p, q = rng.normal(size=(2, 100, 7))
    places = np.arange(0, one.map.branch_phases_count, 11)
    real, imag = point.voltage_rows(places)
    np.testing.assert_allclose(real @ p + imag @ q, point.dw_pu2(p, q)[places], atol=1e-12)
    np.testing.assert_array_equal(point.dw_pu2(p)[:, 3], point.dw_pu2(np.ascontiguousarray(p[:, 3])))


def test_kept_coefficients_give_a_new_right_hand_side_only() -> None:
    one = standing_area("ieee13", 12, 1.0, 1.0)
    first = one.point(np.zeros(12))
    p = 0.5 * one.size_kw
    fresh = one.point(p)
    kept: OperatingPoint = one.map.operating_point(
        one.series, one.circuit.node_voltages_v(), fresh.p_kw, fresh.q_kvar, first.coefficients
    )
    np.testing.assert_array_equal(kept.w_pu2, fresh.w_pu2)
    np.testing.assert_array_equal(kept.s_kva, fresh.s_kva)
    assert kept.coefficients is first.coefficients


def test_moved_taps_need_the_regulators_read_again() -> None:
    one = area("ieee123", 20)
    one.circuit.set_taps(one.circuit.taps() + np.where(one.circuit.taps() > 0, -3.0, 3.0))
    stale = one.point(np.zeros(20))
    series = one.map.with_taps_moved(one.series, one.circuit.yprim)
    read = one.map.operating_point(series, one.circuit.node_voltages_v(), stale.p_kw, stale.q_kvar)
    head = one.circuit.feeder_power_kva()[0].sum().real
    assert abs(stale.s_kva - read.s_kva).max() > 1.0
    assert read.p_head_kw == pytest.approx(head, abs=EXACT_KVA)
    whole = one.map.series(one.circuit.yprim)
    for mine, theirs in zip(series.a, whole.a, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def branch(name: str, nodes1: tuple[int, ...], nodes2: tuple[int, ...]) -> Branch:
    return Branch(name=name, kind="line", nodes1=nodes1, nodes2=nodes2, ampacity_a=100.0, kva=np.inf)


def line_yprim(phases: int) -> np.ndarray:
    y = np.eye(phases) / (0.1 + 0.3j)
    return np.block([[y, -y], [-y, y]])


def test_nodes_behind_a_floating_winding_are_named_and_felt_at_its_near_end() -> None:
    branches = [
        branch("a", (0, 1, 2), (3, 4, 5)),
        branch("delta", (3, 4, 5), (6, 7, 8)),
        branch("b", (6,), (9,)),
    ]
    delta = line_yprim(3)
    between = np.eye(3) - np.full((3, 3), 1 / 3)
    delta[3:, 3:] = between * 10 + np.eye(3) * 1e-8
    yprims = {"a": line_yprim(3), "delta": delta, "b": line_yprim(1)}
    built = build_map(
        branches,
        yprims.__getitem__,
        [Terminal(element="a", number=1)],
        np.full(10, 2400.0),
        [DerSite(nodes=(9,), kind="pv", rated_kw=1.0)],
    )
    assert built.tree.uncovered_nodes == (6, 7, 8, 9)
    np.testing.assert_allclose(built.incidence.toarray(), np.full((3, 1), 1 / 3))


def test_a_loop_and_a_der_off_the_feeder_are_refused() -> None:
    branches = [branch("a", (0,), (1,)), branch("b", (1,), (2,)), branch("c", (0,), (2,))]
    site = [DerSite(nodes=(5,), kind="pv", rated_kw=1.0)]
    heads = [Terminal(element="a", number=1)]
    with pytest.raises(ConfigError, match="loop"):
        build_map(branches, lambda _: line_yprim(1), heads, np.full(3, 2400.0), [])
    with pytest.raises(ConfigError, match="not connected below"):
        build_map(branches[:2], lambda _: line_yprim(1), heads, np.full(3, 2400.0), site)


def test_feeders_and_the_substation_s_losses_add_up_to_the_interface() -> None:
    two = area_of_two()
    interface_mw, points = two.solve([0.3 * size for size in two.sizes_kw])
    heads = two.circuit.feeder_power_kva().real.sum(axis=1)
    np.testing.assert_allclose([point.p_head_kw for point in points], heads, atol=EXACT_KVA)
    # A substation loses something, and little.
    assert 0.0 < interface_mw - heads.sum() / 1e3 < 0.03 * interface_mw
    # The two maps share no node, and together give every node below the medium-voltage bus.
    far = [set(feeder.tree.far.tolist()) for feeder in two.maps]
    names = two.circuit.node_names
    below = {k for k, name in enumerate(names) if name.split(".")[0] not in {"bus", "mv"}}
    assert not far[0] & far[1]
    assert far[0] | far[1] == below
