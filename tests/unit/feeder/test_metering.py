"""DERs are metered by aggregator, multiplicity included, and an interval's energy is its own."""

from __future__ import annotations

import numpy as np
import pytest

from federates.feeder.metering import DerMeter


def test_energy_is_power_times_time_by_aggregator_and_multiplied() -> None:
    """Steps of 60 s, multiplicity 10: (600 + 300) kW x 1/60 h x 10 = 0.15 MWh; -120 kW once: -0.02 MWh."""
    meter = DerMeter([np.array([0, 2]), np.array([1])], multiplicity=10, step_s=60)
    meter.add(np.array([400.0, -120.0, 200.0]))
    meter.add(np.array([300.0, 0.0, 0.0]))
    read = meter.read(300)
    assert read.interval_s == 300
    assert read.energy_mwh == pytest.approx([0.15, -0.02])


def test_reading_starts_the_meter_again() -> None:
    meter = DerMeter([np.array([0])], multiplicity=1, step_s=60)
    meter.add(np.array([60.0]))
    assert meter.read(0).energy_mwh == pytest.approx([0.001])
    assert meter.read(300).energy_mwh.tolist() == [0.0]
