"""Programs: duals, warmth, failure, integer search."""

import numpy as np
import pytest

from federates.core.errors import InfeasibleError, ModelError
from federates.lp.blueprint import Blueprint
from federates.lp.program import Program
from federates.lp.solution import SearchBudget

EXACT = 1e-9


def supply_and_demand(demand: float) -> tuple[Program, int]:
    """Two offers, 100 at 50 and 200 at 80, against a demand row."""
    program = Program("supply", look_at="the demand")
    offers = program.add_columns(0.0, np.array([100.0, 200.0]), np.array([50.0, 80.0]))
    return program, program.add_row(demand, demand, offers, 1.0)


def test_row_dual_is_the_cost_of_one_more_unit() -> None:
    program, row = supply_and_demand(150.0)
    before = program.solve()
    program.set_row_bounds(np.array([row]), 151.0, 151.0)
    after = program.solve()
    assert before.objective == pytest.approx(9_000.0, abs=EXACT)
    assert before.row_dual[row] == pytest.approx(after.objective - before.objective, abs=EXACT)


def test_reduced_cost_is_the_worth_of_a_wider_bound() -> None:
    program, _ = supply_and_demand(150.0)
    assert program.solve().reduced_cost[0] == pytest.approx(-30.0, abs=EXACT)


def test_an_infeasible_program_names_itself_and_what_to_look_at() -> None:
    program, _ = supply_and_demand(301.0)
    with pytest.raises(InfeasibleError, match=r"supply: no optimum \(Infeasible\).*look at the demand"):
        program.solve()


def test_a_program_recovers_after_an_infeasible_solve() -> None:
    program, row = supply_and_demand(301.0)
    with pytest.raises(InfeasibleError):
        program.solve()
    program.set_row_bounds(np.array([row]), 50.0, 50.0)
    assert program.solve().objective == pytest.approx(2_500.0, abs=EXACT)


def test_an_added_row_is_respected_warm() -> None:
    program, _ = supply_and_demand(150.0)
    program.solve()
    program.add_row(-np.inf, 40.0, np.array([0]), 1.0)
    solution = program.solve()
    assert solution.x.tolist() == pytest.approx([40.0, 110.0], abs=EXACT)
    assert not solution.cold


def test_replacing_the_matrix_keeps_bounds_costs_and_basis() -> None:
    program, _ = supply_and_demand(150.0)
    program.solve()
    program.replace_matrix(np.array([0]), np.array([0, 1]), np.array([2.0, 1.0]))
    solution = program.solve()
    assert solution.x.tolist() == pytest.approx([75.0, 0.0], abs=EXACT)
    fresh, _ = supply_and_demand(150.0)
    fresh.replace_matrix(np.array([0]), np.array([0, 1]), np.array([2.0, 1.0]))
    assert fresh.solve().objective == pytest.approx(solution.objective, abs=EXACT)


def test_a_basis_taken_before_rows_were_added_still_starts_the_program() -> None:
    program, _ = supply_and_demand(150.0)
    program.solve()
    basis = program.basis()
    assert basis is not None
    program.add_row(-np.inf, 40.0, np.array([0]), 1.0)
    program.set_basis(basis)
    assert program.solve().objective == pytest.approx(40 * 50 + 110 * 80, abs=EXACT)


def test_a_basis_of_another_program_is_refused() -> None:
    program, _ = supply_and_demand(150.0)
    program.solve()
    basis = program.basis()
    assert basis is not None
    other = Program("other")
    other.add_columns(0.0, 1.0, 1.0, count=3)
    with pytest.raises(ModelError, match="other columns"):
        other.set_basis(basis)


def knapsack() -> Program:
    """Cover 7 with whole pieces of 5 at 10 and 3 at 7: 5 + 3 costs 17, relaxed 14."""
    program = Program("cover")
    pieces = program.add_columns(0.0, 5.0, np.array([10.0, 7.0]), integer=True)
    program.add_row(7.0, np.inf, pieces, np.array([5.0, 3.0]))
    return program


def test_solve_relaxes_and_solve_integer_does_not() -> None:
    program = knapsack()
    relaxed = program.solve()
    whole = program.solve_integer(SearchBudget(gap=0.0))
    assert relaxed.objective == pytest.approx(14.0, abs=EXACT)
    assert whole.objective == pytest.approx(17.0, abs=EXACT)
    assert whole.bound == pytest.approx(17.0, abs=EXACT)
    assert program.solve().objective == pytest.approx(14.0, abs=EXACT)


def test_a_given_start_is_never_lost() -> None:
    program = knapsack()
    whole = program.solve_integer(SearchBudget(gap=0.99), start=np.array([2.0, 0.0]))
    assert whole.objective <= 20.0 + EXACT
    assert whole.bound <= whole.objective


def test_an_integer_program_without_a_point_is_an_error() -> None:
    program = Program("stuck")
    column = program.add_columns(0.0, 1.0, 1.0, integer=True)
    program.add_row(0.4, 0.6, column, 1.0)
    with pytest.raises(InfeasibleError, match="stuck: no optimum"):
        program.solve_integer(SearchBudget())


def test_the_primal_strategy_gives_the_same_optimum() -> None:
    program, _ = supply_and_demand(150.0)
    program.solve()
    program.set_strategy("primal")
    program.set_costs(np.array([0, 1]), np.array([90.0, 80.0]))
    assert program.solve().objective == pytest.approx(150 * 80, abs=EXACT)


NONE = np.zeros(0, dtype=np.int64)


def test_a_guessed_start_gives_the_same_optimum_in_fewer_steps() -> None:
    guessed, row = supply_and_demand(150.0)
    guessed.start_at(np.array([1]), np.array([0]), NONE)
    solution = guessed.solve()
    assert solution.objective == pytest.approx(9_000.0, abs=EXACT)
    assert solution.row_dual[row] == pytest.approx(80.0, abs=EXACT)
    assert solution.iterations_count == 0


def test_a_guessed_start_needs_one_basic_column_per_row() -> None:
    program, _ = supply_and_demand(150.0)
    with pytest.raises(ModelError, match="2 basic columns and 0 slack rows for 1 rows"):
        program.start_at(np.array([0, 1]), np.array([0]), NONE)


def test_a_blueprint_pours_scattered_entries_row_by_row() -> None:
    """min x + 2y with x + y >= 3 and x - y <= 1: x = 2, y = 1."""
    blueprint = Blueprint(Program("plan"))
    x, y = blueprint.columns((2,), 0.0, np.inf, np.array([1.0, 2.0]))
    cover, difference = blueprint.rows((1,), 3.0, np.inf), blueprint.rows((1,), -np.inf, 1.0)
    blueprint.entries(difference, np.array([y]), -1.0)
    blueprint.entries(cover, np.array([[x, y]]), 1.0)
    blueprint.entries(difference, np.array([x]), 1.0)
    blueprint.pour()
    assert blueprint.program.solve().x == pytest.approx([2.0, 1.0], abs=EXACT)
    more = blueprint.rows((1,), -np.inf, 1.5)
    blueprint.entries(more, np.array([x]), 1.0)
    blueprint.pour()
    assert blueprint.program.rows_count == 3
    assert blueprint.program.solve().x == pytest.approx([1.5, 1.5], abs=EXACT)
