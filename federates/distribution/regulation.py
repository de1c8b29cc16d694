"""The relay law of step-voltage regulators, free of any engine.

A regulator compares its relay voltage (with line-drop compensation) with a set-point and a bandwidth, and
steps once after its delay has passed without a break. Kersting, *Distribution System Modeling and Analysis*,
section 7.4.

The engine's own time mode is not used: it samples the relays once per solve, so that a 60 s step gives one
tap whatever the delay, and its queue of pending actions cannot be saved. Played here, events fall where the
delays put them, many short steps give the taps of one long step, and a circuit restored from a file goes on
alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from federates.core.arrays import ComplexArray, FloatArray

STEP_LIMIT = 16
"""Steps either side of neutral: 16 of 0.625 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaySettings:
    """Settings of all the regulators of a circuit, each array of shape (regulators,)."""

    v_set_v: FloatArray
    """Set-point on the voltage transformer's base. [V]"""
    bandwidth_v: FloatArray
    pt_ratio: FloatArray
    ct_primary_a: FloatArray
    ldc_v: ComplexArray
    """Line-drop compensation R + jX; zero switches it off. [V]"""
    delay_s: FloatArray


def relay_directions(settings: RelaySettings, v_v: ComplexArray, i_a: ComplexArray) -> FloatArray:
    """Return the step that each relay asks for: +1 raise, -1 lower, 0 inside the band.

    Parameters
    ----------
    settings
        Of the regulators.
    v_v
        Regulated voltage to ground, shape (regulators,). [V]
    i_a
        Current that leaves the regulator towards the load, shape (regulators,). [A]
    """
    relay_v = np.abs(v_v / settings.pt_ratio - i_a / settings.ct_primary_a * settings.ldc_v)
    high = relay_v > settings.v_set_v + settings.bandwidth_v / 2
    low = relay_v < settings.v_set_v - settings.bandwidth_v / 2
    return low.astype(np.float64) - high.astype(np.float64)


def within_limits(directions: FloatArray, taps: FloatArray) -> FloatArray:
    """Return the directions with those at their last step set to zero."""
    moved = taps + directions
    return np.where(np.abs(moved) <= STEP_LIMIT, directions, 0.0)
