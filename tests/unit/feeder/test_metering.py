"""DERs are metered by aggregator, multiplicity included, and one by one; each interval has its own energy."""

from __future__ import annotations

import numpy as np
import pytest

from federates.feeder.metering import CustomerMeter, DerMeter


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


def test_every_customer_has_a_meter_of_its_own_and_nothing_is_multiplied() -> None:
    """60 s each: 300 and 600 kW drawn are 15 kWh; a DER that gives 60 and then takes 30 kW gives 0.5 kWh."""
    meter = CustomerMeter(2, 1, step_s=60)
    meter.add(import_kw=300.0, lost_kw=6.0, der_kw=np.array([60.0, 0.0]), load_kw=np.array([354.0]))
    meter.add(import_kw=600.0, lost_kw=12.0, der_kw=np.array([-30.0, 6.0]), load_kw=np.array([564.0]))
    read = meter.read(300)
    assert read.interval_s == 300
    assert (read.import_mwh, read.lost_mwh) == pytest.approx((0.015, 0.0003))
    assert read.der_mwh == pytest.approx([0.0005, 0.0001])
    assert read.load_mwh == pytest.approx([0.0153])
    again = meter.read(600)
    assert again.import_mwh == again.lost_mwh == 0.0
    assert again.load_mwh.tolist() == [0.0]
    assert again.der_mwh.tolist() == [0.0, 0.0]
