"""A linear or integer program on HiGHS, built once and kept warm.

Columns and rows are arrays of places. Build once; afterwards only bounds, costs and added rows change, so
that the basis of one solve starts the next. Rows are never deleted (the solver would lose the basis):
retire one by widening its bounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import highspy
import numpy as np
from scipy.sparse import csc_array, csr_array

from federates.core.arrays import FloatArray, IntArray
from federates.core.errors import InfeasibleError, ModelError
from federates.lp.model import Model
from federates.lp.solution import IntegerSolution, SearchBudget, Solution

Strategy = Literal["dual", "primal"]
Values = FloatArray | float

_STRATEGY = {"dual": 1, "primal": 4}
_SEARCH_ENDS = (
    highspy.HighsModelStatus.kOptimal,
    highspy.HighsModelStatus.kSolutionLimit,
    highspy.HighsModelStatus.kInterrupt,
    highspy.HighsModelStatus.kIterationLimit,
    highspy.HighsModelStatus.kTimeLimit,
)
_FEASIBLE_POINT = 2


@dataclass(frozen=True, slots=True)
class Basis:
    """Where a simplex solve stands; opaque, valid for the program that gave it."""

    engine_basis: Any
    columns_count: int
    rows_count: int


class Program:
    """One minimisation, kept warm between solves.

    Parameters
    ----------
    name
        Says in errors which program failed.
    look_at
        What to check first when there is no optimum; ends the error message.
    simplex_scale
        Whether the engine scales the matrix; off where rows are scaled by hand.
    strategy
        Which simplex re-solves: ``dual`` after new bounds, ``primal`` may win after new costs.
    presolve
        Whether cold solves are presolved; off keeps a basis for small warm programs from the start.
    tolerance
        Feasibility tolerance of rows, bounds and reduced costs of linear solves.
    """

    def __init__(
        self,
        name: str,
        *,
        look_at: str = "its bounds and right-hand sides",
        simplex_scale: bool = True,
        strategy: Strategy = "dual",
        presolve: bool = True,
        tolerance: float = 1e-7,
    ) -> None:
        self.name = name
        self._look_at = look_at
        self._highs: Any = highspy.Highs()
        self._integer = np.zeros(0, dtype=np.int64)
        self._columns_count = 0
        self._rows_count = 0
        self._solves_count = 0
        self._iterations_count = 0
        fixed: dict[str, str | float | bool] = {
            "output_flag": False,
            "threads": 1,
            "parallel": "off",
            "random_seed": 0,
            "solve_relaxation": True,
            "presolve": "choose" if presolve else "off",
            "primal_feasibility_tolerance": tolerance,
            "dual_feasibility_tolerance": tolerance,
        }
        for option, value in fixed.items():
            self._option(option, value)
        if not simplex_scale:
            self._option("simplex_scale_strategy", 0)
        self.set_strategy(strategy)

    @property
    def columns_count(self) -> int:
        """Number of columns."""
        return self._columns_count

    @property
    def rows_count(self) -> int:
        """Number of rows."""
        return self._rows_count

    @property
    def solves_count(self) -> int:
        """Number of linear solves so far."""
        return self._solves_count

    @property
    def iterations_count(self) -> int:
        """Number of simplex iterations so far, those of integer searches included."""
        return self._iterations_count

    def add_columns(
        self, lower: Values, upper: Values, cost: Values, *, integer: bool = False, count: int | None = None
    ) -> IntArray:
        """Add columns without entries.

        Parameters
        ----------
        lower, upper, cost
            One value per column, or one for all; infinite bounds are free.
        integer
            Whether ``solve_integer`` holds them to whole numbers (``solve`` never does).
        count
            Number of columns where all three are single values.

        Returns
        -------
        IntArray
            Places of the new columns.
        """
        lower, upper, cost = _like_columns(lower, upper, cost, count)
        n = lower.size
        none = np.zeros(0, dtype=np.int32)
        self._ok(self._highs.addCols(n, cost, lower, upper, 0, none, none, np.zeros(0)), "add_columns")
        places = np.arange(self._columns_count, self._columns_count + n)
        self._columns_count += n
        if integer:
            self._integer = np.concatenate((self._integer, places))
            kinds = np.full(n, int(highspy.HighsVarType.kInteger), dtype=np.uint8)
            self._ok(self._highs.changeColsIntegrality(n, _int32(places), kinds), "add_columns")
        return places

    def add_rows(
        self, lower: Values, upper: Values, starts: IntArray, columns: IntArray, values: FloatArray
    ) -> IntArray:
        """Add rows in compressed form: row ``i`` owns entries ``starts[i]`` up to the next start.

        Returns
        -------
        IntArray
            Places of the new rows.
        """
        n = int(starts.size)
        lower, upper = (np.ascontiguousarray(np.broadcast_to(b, n), dtype=np.float64) for b in (lower, upper))
        status = self._highs.addRows(
            n, lower, upper, int(columns.size), _int32(starts), _int32(columns), _float64(values)
        )
        self._ok(status, "add_rows")
        places = np.arange(self._rows_count, self._rows_count + n)
        self._rows_count += n
        return places

    def add_row(self, lower: float, upper: float, columns: IntArray, values: Values) -> int:
        """Add one row; return its place."""
        values = np.broadcast_to(np.asarray(values, dtype=np.float64), columns.shape)
        return int(self.add_rows(lower, upper, np.zeros(1, dtype=np.int64), columns, values)[0])

    def set_costs(self, columns: IntArray, cost: Values) -> None:
        """Give columns new costs."""
        n = int(columns.size)
        if n:
            self._ok(self._highs.changeColsCost(n, _int32(columns), _spread(cost, n)), "set_costs")

    def set_column_bounds(self, columns: IntArray, lower: Values, upper: Values) -> None:
        """Give columns new bounds."""
        n = int(columns.size)
        if n:
            low, high = _spread(lower, n), _spread(upper, n)
            self._ok(self._highs.changeColsBounds(n, _int32(columns), low, high), "set_column_bounds")

    def set_row_bounds(self, rows: IntArray, lower: Values, upper: Values) -> None:
        """Give rows new bounds."""
        n = int(rows.size)
        if n:
            low, high = _spread(lower, n), _spread(upper, n)
            self._ok(self._highs.changeRowsBounds(n, _int32(rows), low, high), "set_row_bounds")

    def set_coefficient(self, row: int, column: int, value: float) -> None:
        """Change one entry of the matrix; for many, ``replace_matrix`` is faster."""
        self._ok(self._highs.changeCoeff(row, column, value), "set_coefficient")

    def replace_matrix(self, starts: IntArray, columns: IntArray, values: FloatArray) -> None:
        """Give every row new entries, in compressed form; bounds, costs and the basis stay."""
        if starts.size != self._rows_count:
            raise ModelError(f"{self.name}: {starts.size} rows given for {self._rows_count}; give them all")
        basis = self.basis()
        kept = self._highs.getLp()
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = self._columns_count, self._rows_count
        lp.col_cost_, lp.col_lower_, lp.col_upper_ = kept.col_cost_, kept.col_lower_, kept.col_upper_
        lp.row_lower_, lp.row_upper_ = kept.row_lower_, kept.row_upper_
        if self._integer.size:
            lp.integrality_ = kept.integrality_
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.num_col_, lp.a_matrix_.num_row_ = self._columns_count, self._rows_count
        lp.a_matrix_.start_ = np.append(starts, columns.size).astype(np.int32)
        lp.a_matrix_.index_ = _int32(columns)
        lp.a_matrix_.value_ = _float64(values)
        self._ok(self._highs.passModel(lp), "replace_matrix")
        if basis is not None:
            self.set_basis(basis)

    def model(self) -> Model:
        """The linear program as it stands, whole numbers relaxed."""
        lp = self._highs.getLp()
        shape = (self._rows_count, self._columns_count)
        entries = (lp.a_matrix_.value_, lp.a_matrix_.index_, lp.a_matrix_.start_)
        by_row = lp.a_matrix_.format_ == highspy.MatrixFormat.kRowwise
        return Model(
            cost=np.array(lp.col_cost_),
            lower=np.array(lp.col_lower_),
            upper=np.array(lp.col_upper_),
            row_lower=np.array(lp.row_lower_),
            row_upper=np.array(lp.row_upper_),
            matrix=csr_array(entries, shape=shape) if by_row else csc_array(entries, shape=shape).tocsr(),
        )

    def set_strategy(self, strategy: Strategy) -> None:
        """Choose which simplex re-solves."""
        self._option("simplex_strategy", _STRATEGY[strategy])

    def basis(self) -> Basis | None:
        """Basis of the last solve, or None where there is none."""
        basis = self._highs.getBasis()
        if not basis.valid:
            return None
        return Basis(basis, self._columns_count, self._rows_count)

    def set_basis(self, basis: Basis) -> None:
        """Start the next solve from ``basis``; rows added since then begin as basic."""
        status = basis.engine_basis
        added = self._rows_count - basis.rows_count
        if basis.columns_count != self._columns_count or added < 0:
            raise ModelError(f"{self.name}: the basis belongs to other columns or rows; take a new one")
        if added:
            status.row_status = list(status.row_status) + [highspy.HighsBasisStatus.kBasic] * added
        self._ok(self._highs.setBasis(status), "set_basis")

    def start_at(self, basic_columns: IntArray, upper_columns: IntArray, slack_rows: IntArray) -> None:
        """Start the next solve from a guessed vertex.

        Parameters
        ----------
        basic_columns
            Columns between their bounds: with ``slack_rows`` as many as there are rows.
        upper_columns
            Columns at their upper bound; all others are at their lower one, or at zero where free.
        slack_rows
            Rows that do not bind; every other row holds at its lower bound.
        """
        if basic_columns.size + slack_rows.size != self._rows_count:
            given = f"{basic_columns.size} basic columns and {slack_rows.size} slack rows"
            raise ModelError(f"{self.name}: {given} for {self._rows_count} rows")
        kinds = highspy.HighsBasisStatus
        column = [kinds.kLower] * self._columns_count
        for place in upper_columns.tolist():
            column[place] = kinds.kUpper
        for place in basic_columns.tolist():
            column[place] = kinds.kBasic
        basis = highspy.HighsBasis()
        row = [kinds.kLower] * self._rows_count
        for place in slack_rows.tolist():
            row[place] = kinds.kBasic
        basis.col_status, basis.row_status = column, row
        basis.valid = True
        self._ok(self._highs.setBasis(basis), "start_at")

    def forget(self) -> None:
        """Drop the basis and the last point: the next solve is cold."""
        self._ok(self._highs.clearSolver(), "forget")

    def solve(self) -> Solution:
        """Least cost of the linear program (whole numbers relaxed), warm where a basis is known.

        Raises
        ------
        InfeasibleError
            If neither the warm nor a cold solve ends at an optimum.
        """
        optimal = highspy.HighsModelStatus.kOptimal
        cold = False
        self._solves_count += 1
        self._highs.run()
        status = self._highs.getModelStatus()
        if status != optimal:
            cold = True
            self.forget()
            self._highs.run()
            status = self._highs.getModelStatus()
        if status != optimal:
            raise InfeasibleError(self._failure(status, "after a cold solve"))
        point = self._highs.getSolution()
        info = self._highs.getInfo()
        iterations = max(int(info.simplex_iteration_count), 0)
        self._iterations_count += iterations
        return Solution(
            objective=float(info.objective_function_value),
            x=np.array(point.col_value),
            row_dual=np.array(point.row_dual),
            reduced_cost=np.array(point.col_dual),
            row_activity=np.array(point.row_value),
            iterations_count=iterations,
            cold=cold,
        )

    def solve_integer(self, budget: SearchBudget, start: FloatArray | None = None) -> IntegerSolution:
        """Best integer point within ``budget``.

        Parameters
        ----------
        budget
            Gap, nodes and safety time at which the search ends.
        start
            A feasible point, shape (columns,); the result is never worse.

        Raises
        ------
        InfeasibleError
            If no integer point was found.
        """
        self._option("solve_relaxation", False)
        self._option("mip_rel_gap", budget.gap)
        self._option("mip_max_nodes", budget.nodes_count)
        self._option("time_limit", budget.wall_s)
        self._option("mip_heuristic_effort", budget.heuristic_effort)
        try:
            if start is not None:
                places = np.arange(self._columns_count, dtype=np.int32)
                self._ok(self._highs.setSolution(places.size, places, _float64(start)), "solve_integer")
            self._highs.run()
            return self._integer_point()
        finally:
            self._option("solve_relaxation", True)
            self._option("time_limit", float("inf"))

    def _integer_point(self) -> IntegerSolution:
        status = self._highs.getModelStatus()
        info = self._highs.getInfo()
        if status not in _SEARCH_ENDS or int(info.primal_solution_status) != _FEASIBLE_POINT:
            raise InfeasibleError(self._failure(status, "and no integer point was found"))
        iterations = max(int(info.simplex_iteration_count), 0)
        self._iterations_count += iterations
        objective, bound = float(info.objective_function_value), float(info.mip_dual_bound)
        return IntegerSolution(
            objective=objective,
            x=np.array(self._highs.getSolution().col_value),
            bound=bound,
            gap=(objective - bound) / max(abs(objective), 1e-9),
            nodes_count=int(info.mip_node_count),
            iterations_count=iterations,
            time_limited=status == highspy.HighsModelStatus.kTimeLimit,
        )

    def _failure(self, status: object, when: str) -> str:
        text = self._highs.modelStatusToString(status)
        shape = f"{self._rows_count} rows, {self._columns_count} columns"
        return f"{self.name}: no optimum ({text}) {when} of {shape}; look at {self._look_at}"

    def _option(self, option: str, value: str | float | bool) -> None:
        self._ok(self._highs.setOptionValue(option, value), f"option {option}")

    def _ok(self, status: object, call: str) -> None:
        if status == highspy.HighsStatus.kError:
            raise ModelError(f"{self.name}: the solver refused {call}; look at the shapes and values given")


def _like_columns(
    lower: Values, upper: Values, cost: Values, count: int | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    shape = np.broadcast_shapes(
        np.shape(lower), np.shape(upper), np.shape(cost), (1 if count is None else count,)
    )
    low, high, price = (
        np.ascontiguousarray(np.broadcast_to(v, shape), dtype=np.float64) for v in (lower, upper, cost)
    )
    return low, high, price


def _spread(value: Values, n: int) -> FloatArray:
    return np.ascontiguousarray(np.broadcast_to(value, (n,)), dtype=np.float64)


def _int32(places: IntArray) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
    return np.ascontiguousarray(places, dtype=np.int32)


def _float64(values: FloatArray) -> FloatArray:
    return np.ascontiguousarray(values, dtype=np.float64)
