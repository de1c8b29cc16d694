"""Rows that a program gets only once a solution breaks them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from federates.core.arrays import FloatArray
from federates.lp.program import Program
from federates.lp.solution import Solution


class LazyRows(Protocol):
    """Rules too many to write down, or not linear: each is added when it is first broken."""

    def add_broken(self, x: FloatArray) -> int:
        """Add the rows that ``x`` breaks; return how many were added."""


def solve_with(program: Program, rules: Sequence[LazyRows]) -> Solution:
    """Optimum at which no rule is broken.

    Raises
    ------
    InfeasibleError
        As :meth:`~federates.lp.program.Program.solve`.
    """
    while True:
        solution = program.solve()
        if not sum(rule.add_broken(solution.x) for rule in rules):
            return solution
