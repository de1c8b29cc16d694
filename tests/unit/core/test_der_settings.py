"""Settings of DERs: what contradicts itself is refused with a remedy, and sizes scale."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from federates.core.der_settings import (
    DER_KINDS,
    FLEXIBLE_CEILING,
    BatterySettings,
    DerMix,
    DerSettings,
    EvSettings,
    FlexibleSettings,
    GeneratorSettings,
    HvacSettings,
    ProcessSettings,
    PvSettings,
    WaterHeaterSettings,
)
from tests.build import TINY, study

SIZED: dict[str, DerSettings] = {
    "pv": PvSettings(power=100.0),
    "battery": BatterySettings(power=100.0, energy=200.0),
    "ev": EvSettings(count=100),
    "flexible": FlexibleSettings(share=0.5),
    "hvac": HvacSettings(count=100, mode="heat"),
    "water_heater": WaterHeaterSettings(count=100),
    "process": ProcessSettings(power=100.0, daily_energy=500.0),
    "generator": GeneratorSettings(power=100.0),
}


@pytest.mark.parametrize(
    ("settings", "values", "what"),
    [
        (BatterySettings, {"power": 100.0, "energy": 0.0}, "both power and energy"),
        (BatterySettings, {"power": 1.0, "energy": 1.0, "efficiency": 0.0}, "stores nothing"),
        (EvSettings, {"count": 1, "aggregator": "a"}, "set charging: managed"),
        (EvSettings, {"count": 1, "charging": "managed", "daily_energy": 33.0}, "raise battery"),
        (EvSettings, {"count": 1, "charging": "managed", "charger": 0.0}, "needs a charger"),
        (FlexibleSettings, {"share": 0.9}, "less than or equal to 0.8"),
        (HvacSettings, {"count": 1, "mode": "heat", "comfort_low": 23.0}, "comfort_low below comfort_high"),
        # 20 degrees against 10 below zero: 30 K / 2 K/kW / 2.5 = 6 kW
        (HvacSettings, {"count": 1, "mode": "heat", "outdoor_mean": -5.0}, "worst hour needs 6.00 kW"),
        (HvacSettings, {"count": 1, "mode": "cool", "outdoor_mean": 50.0}, "worst hour needs 6.40 kW"),
        (WaterHeaterSettings, {"count": 1, "comfort_low": 70.0}, "comfort_low below comfort_high"),
        (ProcessSettings, {"power": 1.0, "daily_energy": 1.0, "window_end": "7 h"}, "within one day"),
        # ten hours at 100 kW hold 1,000 kWh, a day may want 1.2 times the mean
        (ProcessSettings, {"power": 100.0, "daily_energy": 850.0}, "does not fit in the window"),
    ],
)
def test_what_contradicts_itself_is_refused(
    settings: type[DerSettings], values: dict[str, Any], what: str
) -> None:
    with pytest.raises(ValidationError, match=what):
        settings(**values)


def test_every_kind_has_settings_and_a_size_that_scales() -> None:
    assert set(SIZED) == set(DER_KINDS)
    for settings in SIZED.values():
        half = settings.scaled(0.5)
        assert type(half) is type(settings)
        changed = {k for k in type(settings).model_fields if getattr(half, k) != getattr(settings, k)}
        assert changed, "a size has changed"
        for key in changed:
            assert getattr(half, key) == pytest.approx(0.5 * getattr(settings, key))
    assert FlexibleSettings(share=0.7).scaled(2.0).share == FLEXIBLE_CEILING


def test_a_mix_is_written_with_units() -> None:
    mix = DerMix.model_validate(
        {
            "hvac": {
                "count": 3,
                "mode": "heat",
                "unit": "4 kW",
                "comfort_low": "19 C",
                "resistance": "3 K/kW",
            },
            "process": {"power": "1 MW", "daily_energy": "2 MWh", "window_begin": "9 h"},
            "generator": {
                "power": "2 MW",
                "fuel_cost": "50 USD/MWh",
                "co2": "0.5 t/MWh",
                "start_cost": "5 $/MW",
            },
            "participation": "80 %",
        }
    )
    assert mix.hvac is not None
    assert mix.process is not None
    assert mix.generator is not None
    assert (mix.hvac.unit_kw, mix.hvac.comfort_low_c, mix.hvac.resistance_c_per_kw) == (4.0, 19.0, 3.0)
    assert (mix.process.power_kw, mix.process.daily_energy_kwh) == (1_000.0, 2_000.0)
    assert mix.process.window_begin_s == 9 * 3_600
    assert (mix.generator.co2_kg_per_mwh, mix.generator.start_cost_usd_per_mw) == (500.0, 5.0)
    assert mix.participation == 0.8


@pytest.mark.parametrize(
    ("event", "what"),
    [
        ("{kind: der_opt_out, at: 0, duration: 60, lda: lda9, ders: solar/pv}", "unknown LDA 'lda9'"),
        ("{kind: der_opt_out, at: 0, duration: 60, lda: lda1, ders: solar/hvac}", "it has solar/pv"),
    ],
)
def test_an_opt_out_of_nobody_is_refused(event: str, what: str) -> None:
    with pytest.raises(Exception, match=what):
        study(TINY, f"events=[{event}]")
