"""Figures of one solved state of an LDA, feeder by feeder."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from federates.core.arrays import BoolArray, FloatArray

RANGE_A_PU = (0.95, 1.05)
"""Service voltage in normal operation, ANSI C84.1 range A."""
RANGE_B_PU = (0.917, 1.058)
"""Voltage tolerated for a limited time, ANSI C84.1 range B."""
_LIMIT_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatistics:
    """Voltage magnitudes of a set of nodes."""

    min_pu: float
    p5_pu: float
    median_pu: float
    p95_pu: float
    max_pu: float
    below_a_count: int
    """Nodes below range A."""
    above_a_count: int
    outside_b_count: int
    """Nodes outside range B; they are outside range A too."""

    @property
    def outside_a_count(self) -> int:
        """Nodes outside range A."""
        return self.below_a_count + self.above_a_count


def node_statistics(v_pu: FloatArray, load_node_mask: BoolArray) -> NodeStatistics:
    """Return the statistics of the masked nodes.

    Parameters
    ----------
    v_pu
        Voltage magnitudes, shape (nodes,). [pu]
    load_node_mask
        Which nodes count, shape (nodes,); at least one.
    """
    v = v_pu[load_node_mask]
    low, p5, median, p95, high = np.quantile(v, (0.0, 0.05, 0.5, 0.95, 1.0)).tolist()
    return NodeStatistics(
        min_pu=low,
        p5_pu=p5,
        median_pu=median,
        p95_pu=p95,
        max_pu=high,
        below_a_count=int(np.count_nonzero(v < RANGE_A_PU[0] - _LIMIT_TOLERANCE)),
        above_a_count=int(np.count_nonzero(v > RANGE_A_PU[1] + _LIMIT_TOLERANCE)),
        outside_b_count=int(
            np.count_nonzero((v < RANGE_B_PU[0] - _LIMIT_TOLERANCE) | (v > RANGE_B_PU[1] + _LIMIT_TOLERANCE))
        ),
    )


def overloaded_count(loading_pu: FloatArray) -> int:
    """Return how many elements carry more than their rating."""
    return int(np.count_nonzero(loading_pu > 1.0 + _LIMIT_TOLERANCE))
