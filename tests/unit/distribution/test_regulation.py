from __future__ import annotations

import numpy as np
import pytest

from federates.distribution.regulation import RelaySettings, relay_directions, within_limits


def _settings(ldc_v: complex = 0j) -> RelaySettings:
    """Return a relay at 122 V with 2 V of band behind ratios of 20 and 700 A."""
    return RelaySettings(
        v_set_v=np.array([122.0]),
        bandwidth_v=np.array([2.0]),
        pt_ratio=np.array([20.0]),
        ct_primary_a=np.array([700.0]),
        ldc_v=np.array([ldc_v]),
        delay_s=np.array([45.0]),
    )


@pytest.mark.parametrize(
    ("relay_v", "direction"), [(120.9, 1), (121.0, 0), (122.0, 0), (123.0, 0), (123.1, -1)]
)
def test_a_relay_asks_to_come_back_into_its_band(relay_v: float, direction: int) -> None:
    directions = relay_directions(_settings(), np.array([20 * relay_v + 0j]), np.array([0j]))
    assert list(directions) == [direction]


def test_compensation_lifts_the_voltage_with_the_load_and_lowers_it_with_export() -> None:
    """At 350 A in phase, R of 3 V takes 1.5 V off the relay's voltage; export adds as much."""
    settings = _settings(3 + 0j)
    assert list(relay_directions(settings, np.array([20 * 122.0 + 0j]), np.array([350 + 0j]))) == [1]
    assert list(relay_directions(settings, np.array([20 * 122.0 + 0j]), np.array([-350 + 0j]))) == [-1]


def test_a_regulator_at_its_last_step_asks_for_nothing_further() -> None:
    directions = within_limits(np.array([1.0, -1.0, 1.0, -1.0]), np.array([16.0, 16.0, -16.0, -16.0]))
    assert list(directions) == [0.0, -1.0, 1.0, 0.0]
