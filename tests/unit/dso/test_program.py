"""The reduced program against the full-space program, at prices, at imports and at the ends."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.sparse import csr_array

from federates.core.arrays import FloatArray, IntArray
from federates.core.errors import ConfigError, InfeasibleError, ModelError
from federates.dso.case import Case, FeederCase, FeederLimits, feeder_case
from federates.dso.columns import DerColumns
from federates.dso.program import REACTIVE_USD_PER_MVARH, ReducedProgram
from tests.unit.dso.area import Area, area, expected_kw, offers
from tests.unit.dso.full_space import FullSpace

SAME = 1e-6
"""Both programs are solved to 1e-7 or better; lazy voltage rows stop at 1e-6 pu^2."""
QUIET = ("ieee123", 40, 1.0, 1.0, 1.0)
CONGESTED = ("ieee123", 40, 3.5, 0.7, 0.35)


@cache
def congested_or_quiet(
    feeder: str, ders: int, share: float, load: float, rating: float, q_kvar: float = 0.0
) -> tuple[Area, FeederCase, FullSpace]:
    one = area(feeder, ders, share, load)
    columns = offers(one.size_kw)
    columns = replace(columns, q_limit_kvar=q_kvar * one.size_kw)
    point = one.point(0.6 * expected_kw(columns))
    case = feeder_case(point, columns.ordered(one.map.order), FeederLimits(loading_pu=rating))
    return one, case, FullSpace(one, case)


@pytest.mark.parametrize("setting", [QUIET, CONGESTED], ids=["quiet", "congested"])
def test_cost_and_import_equal_the_full_program_at_any_price(
    setting: tuple[str, int, float, float, float],
) -> None:
    _, case, full = congested_or_quiet(*setting)
    program = ReducedProgram(case, "feeder")
    bound = 0
    for price in (-20.3, 12.7, 29.1, 36.3, 44.9, 131.7):
        mine, theirs = program.at_price(price), full.solve(price)
        total = theirs.cost_usd_per_h + price * theirs.import_mw
        assert mine.cost_usd_per_h + price * mine.import_mw == pytest.approx(total, rel=SAME, abs=1e-5)
        assert mine.import_mw == pytest.approx(theirs.import_mw, rel=SAME)
        bound += theirs.voltage_at_limit_count + theirs.flow_at_limit_count
    if setting is CONGESTED:
        assert bound > 6
        assert program.lazy_rows_count > 10


@pytest.mark.parametrize("setting", [QUIET, CONGESTED], ids=["quiet", "congested"])
def test_cost_and_dual_equal_the_full_program_at_a_fixed_import(
    setting: tuple[str, int, float, float, float],
) -> None:
    _, case, full = congested_or_quiet(*setting)
    program = ReducedProgram(case, "feeder")
    low = program.at_range_end(greatest=False).import_mw
    high = program.at_range_end(greatest=True).import_mw
    for share in (0.07, 0.31, 0.52, 0.77, 0.93):
        wanted = low + share * (high - low)
        mine, theirs = program.at_import(wanted), full.solve(0.0, wanted)
        assert mine.import_mw == pytest.approx(wanted, abs=1e-6)
        assert mine.cost_usd_per_h == pytest.approx(theirs.cost_usd_per_h, rel=SAME, abs=1e-5)
        assert mine.price_usd_per_mwh == pytest.approx(theirs.price_usd_per_mwh, abs=SAME)


def test_injections_are_a_solution_where_they_keep_voltages_ratings_and_the_head() -> None:
    """The base state keeps what is relaxed to it; DERs at full power break ratings; a head cuts."""
    _, case, _ = congested_or_quiet(*CONGESTED)
    columns = case.columns
    base = np.clip(columns.base_kw, columns.floor_kw, columns.top_kw)
    assert case.keeps(base)
    assert not case.keeps(columns.top_kw)
    drawn_mw = case.import_mw(base, columns.q_kvar)
    assert not replace(case, greatest_import_mw=drawn_mw - 0.01).keeps(base)
    assert not replace(case, least_import_mw=drawn_mw + 0.01).keeps(base)
    tight = replace(case, least_import_mw=drawn_mw - 9.0, greatest_import_mw=drawn_mw - 9.0)
    program = ReducedProgram(tight, "feeder")
    with pytest.raises(InfeasibleError):
        program.at_price(30.0)


def test_limits_that_no_injections_keep_are_exceeded_by_least() -> None:
    """With a tenth less than the least excess there is no solution; with all of it there is one."""
    _, case, _ = congested_or_quiet(*CONGESTED)
    bound = case.bound.copy()
    bound[0] = 0.97**2
    tight = replace(case, bound=bound)
    nearest = ReducedProgram(tight, "feeder").nearest_to_limits()
    assert nearest.voltage_slack_pu2 > 0.01
    at = tight.excess(nearest.p_kw, nearest.q_kvar)
    assert at[0].max() == pytest.approx(nearest.voltage_slack_pu2, abs=1e-6)
    for share, feasible in ((0.9, False), (1.0, True)):
        bound[0] = 0.97**2 + share * nearest.voltage_slack_pu2 + 1e-6
        program = ReducedProgram(replace(case, bound=bound.copy()), "feeder")
        if feasible:
            assert program.range_end_mw(greatest=True) < case.greatest_import_mw
        else:
            with pytest.raises(InfeasibleError):
                program.range_end_mw(greatest=True)


def test_nothing_is_exceeded_where_limits_can_be_kept() -> None:
    _, case, _ = congested_or_quiet(*CONGESTED)
    program = ReducedProgram(case, "feeder")
    nearest = program.nearest_to_limits()
    assert nearest.voltage_slack_pu2 == 0.0
    assert case.keeps(nearest.p_kw) or case.excess(nearest.p_kw, nearest.q_kvar).max() < 1e-6
    # and limits are limits again afterwards
    assert program.at_range_end(greatest=True).voltage_slack_pu2 == 0.0


@pytest.mark.parametrize("setting", [QUIET, CONGESTED], ids=["quiet", "congested"])
def test_ends_are_the_least_and_greatest_feasible_import(
    setting: tuple[str, int, float, float, float],
) -> None:
    _, case, full = congested_or_quiet(*setting)
    program = ReducedProgram(case, "feeder")
    for greatest, sign in ((True, -1.0), (False, 1.0)):
        end = full.solve(sign, block_cost=False).import_mw
        assert program.at_range_end(greatest=greatest).import_mw == pytest.approx(end, abs=3e-6)
    # Beyond the end there is nothing.
    with pytest.raises(InfeasibleError):
        program.at_import(program.at_range_end(greatest=False).import_mw - 0.01)


def test_free_reactive_power_widens_the_range_and_equals_the_full_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("federates.dso.program.REACTIVE_USD_PER_MVARH", 0.0)
    _, held, _ = congested_or_quiet(*CONGESTED)
    _, case, full = congested_or_quiet(*CONGESTED, 0.44)
    assert case.q_free
    program = ReducedProgram(case, "feeder")
    greatest = []
    for price in (15.3, 36.3, 70.9):
        mine, theirs = program.at_price(price), full.solve(price)
        total = theirs.cost_usd_per_h + price * theirs.import_mw
        assert mine.cost_usd_per_h + price * mine.import_mw == pytest.approx(total, rel=SAME, abs=1e-5)
        greatest.append(np.abs(mine.q_kvar).max())
        assert (np.abs(mine.q_kvar) <= case.columns.q_limit_kvar + 1e-6).all()
    assert max(greatest) > 1.0
    rows = ReducedProgram(held, "feeder")
    assert program.at_range_end(greatest=False).import_mw < rows.at_range_end(greatest=False).import_mw - 0.01


def test_the_price_of_reactive_power_costs_less_than_it_keeps_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """With f the cost of P and r |Q| that of Q: f(with r) + r |Q|(with r) <= f(without) + r |Q|(without)."""
    _, case, _ = congested_or_quiet(*CONGESTED, 0.44)
    priced = ReducedProgram(case, "feeder").at_price(36.3)
    monkeypatch.setattr("federates.dso.program.REACTIVE_USD_PER_MVARH", 0.0)
    free = ReducedProgram(case, "feeder").at_price(36.3)
    used, unpriced = (float(np.abs(v.q_kvar).sum()) / 1e3 for v in (priced, free))
    more = priced.cost_usd_per_h + 36.3 * priced.import_mw - free.cost_usd_per_h - 36.3 * free.import_mw
    assert 0.0 < used <= unpriced
    assert -1e-5 <= more <= REACTIVE_USD_PER_MVARH * (unpriced - used) + 1e-5


def test_a_tighter_limit_is_never_cheaper_and_binds() -> None:
    _, case, _ = congested_or_quiet(*QUIET)
    costs = []
    for rating in (1.0, 0.5, 0.3, 0.2):
        tight = feeder_case(case.point, case.columns, FeederLimits(loading_pu=rating))
        vertex = ReducedProgram(tight, "feeder").at_price(36.3)
        costs.append(vertex.cost_usd_per_h + 36.3 * vertex.import_mw)
    assert (np.diff(costs) >= -1e-7).all()
    assert costs[-1] > costs[0] + 0.1
    assert vertex.binding_rows
    assert {kind for kind, _ in vertex.binding_rows} & {2, 3}


def test_head_limits_bind() -> None:
    _, case, _ = congested_or_quiet(*QUIET)
    program = ReducedProgram(case, "feeder")
    low, high = (program.at_range_end(greatest=g).import_mw for g in (False, True))
    middle = (low + high) / 2
    base = case.import_at_floor_mw - (case.columns.base_kw - case.columns.floor_kw).sum() / 1e3
    capped = feeder_case(case.point, case.columns, FeederLimits(import_mw=middle))
    top = ReducedProgram(capped, "feeder").at_range_end(greatest=True).import_mw
    # Relaxed to the base state where that imports more.
    assert top == pytest.approx(max(middle, base), abs=3e-6)
    assert top < high


@pytest.mark.parametrize("kind", [0, 1], ids=["high", "low"])
def test_a_voltage_limit_is_met_where_the_circuit_stands_at_it_and_broken_beyond(kind: int) -> None:
    """The limit is set to the voltage that OpenDSS has at the outermost node with every battery charging, or
    every DER injecting: w = V^2 there, so that the row is an equality; 0.001 pu further in it is broken by
    2 * 0.001 V, to first order."""
    one = area("ieee123", 40, 1.0, 1.0)
    columns = offers(one.size_kw)
    p_kw = (columns.top_kw, columns.floor_kw)[kind]
    point, ordered = one.point(p_kw), columns.ordered(one.map.order)
    v_pu = np.sqrt(point.w_pu2)
    outermost = int((np.argmax, np.argmin)[kind](v_pu))
    edge_pu = float(v_pu[outermost])

    def excess(shift_pu: float) -> np.ndarray:
        name = ("v_max_pu", "v_min_pu")[kind]
        case = feeder_case(point, ordered, FeederLimits(**{name: edge_pu + shift_pu}))
        assert case.relaxed_nodes_count == 0, "the base state must leave the limit as it is"
        of_kind: np.ndarray = case.excess(one.map.to_map_order(p_kw), ordered.q_kvar)[kind]
        assert int(np.argmax(of_kind)) == outermost
        return of_kind

    assert excess(0.0)[outermost] == pytest.approx(0.0, abs=1e-12)
    inward_pu = (-1e-3, 1e-3)[kind]
    assert excess(inward_pu)[outermost] == pytest.approx(2e-3 * edge_pu, rel=2e-3)


def test_limits_that_the_base_state_breaks_are_relaxed_one_by_one_and_counted() -> None:
    _, case, _ = congested_or_quiet(*CONGESTED)
    columns = case.columns
    excess = case.excess(columns.base_kw, columns.q_kvar)
    assert (excess <= 1e-9).all()
    assert case.relaxed_branches_count > 0
    rating = case.point.limit_kva * 0.35 / 1e3
    untouched = case.bound[2] ** 2 + case.flow_at_floor_mva.imag**2 <= rating**2 * (1 + 1e-9)
    assert untouched.sum() > case.relaxed_branches_count


def test_new_bounds_on_a_kept_program_give_what_a_new_one_gives() -> None:
    _, case, _ = congested_or_quiet(*CONGESTED)
    kept = ReducedProgram(case, "feeder")
    for price in (20.0, 40.0):
        kept.at_price(price)
    columns = replace(case.columns, width_kw=0.9 * case.columns.width_kw)
    later = feeder_case(case.point, columns, FeederLimits(loading_pu=0.35))
    assert kept.fits(later)
    kept.set_case(later)
    fresh = ReducedProgram(later, "feeder")
    for price in (20.3, 36.3, 55.1):
        a, b = kept.at_price(price), fresh.at_price(price)
        assert a.import_mw == pytest.approx(b.import_mw, abs=1e-6)
        assert a.cost_usd_per_h == pytest.approx(b.cost_usd_per_h, abs=1e-5)


def test_a_program_refuses_another_map() -> None:
    one, case, _ = congested_or_quiet(*QUIET)
    program = ReducedProgram(case, "feeder")
    other = feeder_case(one.point(np.zeros(40)), case.columns, FeederLimits())
    assert not program.fits(other)
    with pytest.raises(ModelError, match="new program"):
        program.set_case(other)


def test_tracking_keeps_ranges_and_reports_what_it_had_to_exceed() -> None:
    _, case, _ = congested_or_quiet(*QUIET)
    program = ReducedProgram(case, "feeder")
    here = case.columns.base_kw
    low, high = here - 5.0, here + 5.0
    base = case.import_at_floor_mw - (here - case.columns.floor_kw).sum() / 1e3
    far = program.track(base - 10.0, (low, high))
    assert (far.p_kw <= np.minimum(high, case.columns.top_kw) + 1e-6).all()
    assert far.overload_mw == pytest.approx(0.0, abs=1e-6)
    near = program.track(base - 0.05, (low, high))
    assert near.import_mw == pytest.approx(base - 0.05, abs=1e-6)
    # The program is as before.
    assert program.at_price(36.3).voltage_slack_pu2 == 0.0


def columns(**change: object) -> DerColumns:
    values = {
        "der": np.array([0, 0, 1]),
        "width_kw": np.array([10.0, 5.0, 7.0]),
        "price_usd_per_mwh": np.array([20.0, 30.0, 10.0]),
        "floor_kw": np.array([-10.0, 0.0]),
        "base_kw": np.zeros(2),
        "q_kvar": np.zeros(2),
        "q_limit_kvar": np.zeros(2),
    } | change
    return DerColumns(**values)  # type: ignore[arg-type]


def test_columns_convert_between_fillings_and_injections() -> None:
    two = columns()
    np.testing.assert_array_equal(two.top_kw, [5.0, 7.0])
    np.testing.assert_array_equal(two.filled_kw(np.array([2.0, 3.0])), [10.0, 2.0, 3.0])
    np.testing.assert_array_equal(two.injection_kw(np.array([10.0, 2.0, 3.0])), [2.0, 3.0])
    assert two.cost_usd_per_h(np.array([2.0, 3.0])) == pytest.approx((200 + 60 + 30) / 1e3)
    turned = two.ordered(np.array([1, 0]))
    np.testing.assert_array_equal(turned.der, [0, 1, 1])
    np.testing.assert_array_equal(turned.width_kw, [7.0, 10.0, 5.0])


def test_falling_prices_and_negative_widths_are_refused() -> None:
    with pytest.raises(ConfigError, match="sorted"):
        columns(price_usd_per_mwh=np.array([20.0, 10.0, 10.0]))
    with pytest.raises(ConfigError, match="negative"):
        columns(width_kw=np.array([1.0, -1.0, 1.0]))


class OneLine:
    """One DER behind one line: w rises by 0.01 pu^2 a MW and by 0.02 pu^2 a Mvar; nothing is lost."""

    coefficients = object()
    incidence = csr_array(np.ones((1, 1)))
    relief_by_p = np.ones(1)
    relief_by_q = np.zeros(1)

    def head_power_kw(self, p_kw: FloatArray, _: FloatArray) -> float:
        return -float(p_kw.sum())

    def dw_pu2(self, dp_kw: FloatArray, dq_kvar: FloatArray | None = None) -> FloatArray:
        return np.asarray(1e-5 * dp_kw + (0.0 if dq_kvar is None else 2e-5 * dq_kvar))

    def voltage_rows(self, branch_phases: IntArray) -> tuple[FloatArray, FloatArray]:
        return np.full((branch_phases.size, 1), 1e-5), np.full((branch_phases.size, 1), 2e-5)


@pytest.mark.parametrize(
    ("limit_kvar", "p_kw", "q_kvar"), [(0, 1000, 0), (500, 2000, -500), (2000, 3000, -1000)]
)
def test_reactive_power_relieves_a_voltage_limit_that_active_power_would_pay_for(
    limit_kvar: float, p_kw: float, q_kvar: float
) -> None:
    """Room is 0.01 pu^2: 0.01 P + 0.02 Q <= 0.01 (MW, Mvar). P is worth 30 $/MWh, offered at 0 up to 3 MW.

    Without Q, P = 1. Each Mvar absorbed makes room for 2 MW, 60 $/h at 0.5 $/Mvarh: all of 0.5 Mvar is used
    (P = 2), and of 2 Mvar only what 3 MW need, Q = (0.01 - 0.03) / 0.02 = -1.
    """
    free = limit_kvar > 0
    case = Case(
        point=OneLine(),
        columns=DerColumns(
            der=np.zeros(1, dtype=np.int64),
            width_kw=np.array([3000.0]),
            price_usd_per_mwh=np.zeros(1),
            floor_kw=np.zeros(1),
            base_kw=np.zeros(1),
            q_kvar=np.zeros(1),
            q_limit_kvar=np.array([float(limit_kvar)]),
        ),
        voltage_at_floor_pu2=np.ones(1),
        flow_at_floor_mva=np.zeros(1, dtype=np.complex128),
        bound=np.array([[1.01], [-0.9], [100.0], [100.0]]),
        normal=np.array([1.0 + 0j, 1j if free else -1.0 + 0j]),
        import_at_floor_mw=0.0,
        least_import_mw=-10.0,
        greatest_import_mw=10.0,
        relaxed_nodes_count=0,
        relaxed_branches_count=0,
    )
    vertex = ReducedProgram(case, "line").at_price(30.0)
    assert vertex.p_kw[0] == pytest.approx(p_kw, abs=1e-2)
    assert vertex.q_kvar[0] == pytest.approx(q_kvar, abs=1e-2)
    assert (0, 0) in vertex.binding_rows, "the voltage limit must bind"
