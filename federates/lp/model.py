"""A linear program as it stands, to read: what tests of optimality need."""

from __future__ import annotations

from dataclasses import dataclass

from scipy.sparse import csr_array

from federates.core.arrays import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Model:
    """Minimise ``cost x`` with ``row_lower <= matrix x <= row_upper`` and ``lower <= x <= upper``."""

    cost: FloatArray
    """Shape (columns,)."""
    lower: FloatArray
    """Shape (columns,)."""
    upper: FloatArray
    """Shape (columns,)."""
    row_lower: FloatArray
    """Shape (rows,)."""
    row_upper: FloatArray
    """Shape (rows,)."""
    matrix: csr_array
    """Shape (rows, columns)."""
