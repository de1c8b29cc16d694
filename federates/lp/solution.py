"""What a program's solve gives back, and the budget that bounds a search."""

from __future__ import annotations

from dataclasses import dataclass

from federates.core.arrays import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """Optimal point of a linear program.

    ``row_dual`` is the derivative of the least cost by the row's binding side: one more unit on the right
    costs ``row_dual`` more. ``reduced_cost`` is the same for a column's binding bound.
    """

    objective: float
    """Least cost."""
    x: FloatArray
    """Value of every column, shape (columns,)."""
    row_dual: FloatArray
    """Price of every row, shape (rows,)."""
    reduced_cost: FloatArray
    """Price of every column's bound, shape (columns,)."""
    row_activity: FloatArray
    """Value of every row, shape (rows,)."""
    iterations_count: int
    """Simplex iterations of this solve."""
    cold: bool
    """Whether the warm basis failed and a solve from scratch gave this point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegerSolution:
    """Best integer point found within a budget, with the bound that certifies its gap."""

    objective: float
    """Cost of the point."""
    x: FloatArray
    """Value of every column, shape (columns,)."""
    bound: float
    """No integer point costs less."""
    gap: float
    """(objective - bound) / |objective|."""
    nodes_count: int
    """Nodes of the search tree."""
    iterations_count: int
    """Simplex iterations of the search."""
    time_limited: bool
    """Whether wall time ended the search: then it cannot be repeated exactly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchBudget:
    """When an integer search ends: on the gap, then on nodes; the clock is a safety only.

    The engine counts no simplex iterations while it searches, so that nodes are the one count to stop on.
    """

    gap: float = 0.005
    """Relative gap at which the search is done."""
    nodes_count: int = 2_000
    """Most nodes."""
    wall_s: float = 600.0
    """Safety. [s]"""
    heuristic_effort: float = 0.3
    """Share of the effort that goes into finding points rather than bounds; the engine's own default, 0.05,
    finds good commitments late."""
