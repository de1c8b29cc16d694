"""True resource cost and emissions of a dispatch, which are not what anybody offers.

Units are plain arrays with units along the last axis, as in a transmission case: cost blocks are stacked
above least output, ``no_load`` is the cost of running at least output.
"""

from __future__ import annotations

import numpy as np

from federates.core.arrays import BoolArray, FloatArray


def unit_cost_usd_per_h(
    p_mw: FloatArray,
    on: BoolArray,
    *,
    p_min_mw: FloatArray,
    no_load_usd_per_h: FloatArray,
    block_mw: FloatArray,
    block_usd_per_mwh: FloatArray,
) -> FloatArray:
    """Cost of running each unit at its output; starts not included.

    Output below ``p_min_mw`` or above the last block, which participation may cause for a minute, is priced
    by extending the first and the last block.

    Parameters
    ----------
    p_mw : ndarray
        Output, shape (..., units). [MW]
    on : ndarray
        Whether the unit is committed, shape (..., units). A unit that is off costs nothing.
    p_min_mw, no_load_usd_per_h : ndarray
        Least output [MW] and cost of running at it [$/h], shape (units,).
    block_mw, block_usd_per_mwh : ndarray
        Widths [MW] and prices [$/MWh] of cost blocks, shape (units, blocks); zero width pads at the end.

    Returns
    -------
    ndarray
        Shape (..., units). [$/h]
    """
    above_mw = p_mw - p_min_mw
    if block_mw.shape[1] == 0:
        return np.where(on, np.broadcast_to(no_load_usd_per_h, above_mw.shape), 0.0)
    top_mw = np.cumsum(block_mw, axis=1)
    bottom_mw = top_mw - block_mw
    cost = no_load_usd_per_h + np.zeros_like(above_mw)
    for k in range(block_mw.shape[1]):
        cost += block_usd_per_mwh[:, k] * np.clip(above_mw - bottom_mw[:, k], 0.0, block_mw[:, k])
    last = np.maximum((block_mw > 0.0).sum(axis=1) - 1, 0)
    last_usd_per_mwh = np.take_along_axis(block_usd_per_mwh, last[:, None], axis=1)[:, 0]
    cost += last_usd_per_mwh * np.maximum(above_mw - top_mw[:, -1], 0.0)
    cost += block_usd_per_mwh[:, 0] * np.minimum(above_mw, 0.0)
    running: FloatArray = np.where(on, cost, 0.0)
    return running


def start_cost_usd(off_h: FloatArray, *, start_after_h: FloatArray, start_usd: FloatArray) -> FloatArray:
    """Cost of starting each unit after a time off.

    Parameters
    ----------
    off_h : ndarray
        Hours since shutdown, shape (..., units), not negative. [h]
    start_after_h, start_usd : ndarray
        Hours off from which a category applies [h] and its cost [$], shape (units, categories), hot to cold,
        padded with infinite hours.

    Returns
    -------
    ndarray
        Shape (..., units). [$]
    """
    applies = (off_h[..., None] >= start_after_h).sum(axis=-1)
    category = np.maximum(applies - 1, 0)
    units = np.arange(start_usd.shape[0])
    cost: FloatArray = start_usd[units, category]
    return cost


def emissions_t_per_h(p_mw: FloatArray, on: BoolArray, *, co2_t_per_mwh: FloatArray) -> FloatArray:
    """CO2 that each unit emits, at its average rate at full output.

    Parameters
    ----------
    p_mw : ndarray
        Output, shape (..., units). Charging (negative output) emits nothing. [MW]
    on : ndarray
        Whether the unit is committed, shape (..., units).
    co2_t_per_mwh : ndarray
        Emission rate, shape (units,). [t/MWh]

    Returns
    -------
    ndarray
        Shape (..., units). [t/h]
    """
    emissions: FloatArray = np.where(on, co2_t_per_mwh * np.maximum(p_mw, 0.0), 0.0)
    return emissions
