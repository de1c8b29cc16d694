"""A feeder with many loads along one line, and mixes for it."""

from __future__ import annotations

import numpy as np

from federates.core.der_settings import (
    BatterySettings,
    DerMix,
    EvSettings,
    FlexibleSettings,
    GeneratorSettings,
    HvacSettings,
    ProcessSettings,
    PvSettings,
    WaterHeaterSettings,
)
from federates.der.mix import Mix
from federates.distribution.model import Feeder, Line, LineConfig, Load

PEAK_KW = 2_000.0
SETTINGS = {
    "pv": PvSettings(power=1_500.0),
    "battery": BatterySettings(power=400.0, energy=800.0),
    "ev": EvSettings(count=200),
    "flexible": FlexibleSettings(share=0.15),
}
EVERYTHING = Mix(ders=DerMix(**SETTINGS), evening_bump=0.1)
"""The kinds of the shipped studies, in which vehicles charge on arrival."""
EVERY_KIND = Mix(
    ders=DerMix(
        **SETTINGS
        | {
            "ev": EvSettings(count=60, charging="managed", v2g=True),
            "hvac": HvacSettings(count=50, mode="heat"),
            "water_heater": WaterHeaterSettings(count=40),
            "process": ProcessSettings(power=100.0, daily_energy=500.0),
            "generator": GeneratorSettings(count=3, power=300.0),
        }
    )
)
"""Every kind of the list as DERs."""


def mix_of(**kinds: object) -> Mix:
    """A mix of some kinds."""
    return Mix(ders=DerMix(**kinds))


def row_feeder(loads: int = 80, prefix: str = "") -> Feeder:
    """Head ``b0`` and a load at every further bus; loads differ in size and phase."""
    kw = np.linspace(1.0, 3.0, loads)
    kw *= PEAK_KW / kw.sum()
    return Feeder(
        name="row",
        head_bus="b0",
        kv=4.16,
        configs=(
            LineConfig(
                name="c",
                phases=(1, 2, 3),
                z_ohm_per_mile=np.eye(3) * (0.5 + 1j),
                b_us_per_mile=np.zeros((3, 3), dtype=np.complex128),
                ampacity_a=500.0,
            ),
        ),
        lines=tuple(
            Line(name=f"l{k}", bus1=f"b{k}", bus2=f"b{k + 1}", config="c", length_ft=100.0)
            for k in range(loads)
        ),
        transformers=(),
        regulators=(),
        capacitors=(),
        loads=tuple(
            Load(
                name=f"{prefix}s{k}",
                bus=f"b{k + 1}",
                phases=(k % 3 + 1,),
                connection="wye",
                kv=2.4,
                kw=float(kw[k]),
                kvar=float(kw[k]) / 2.0,
            )
            for k in range(loads)
        ),
        source="made by hand for the tests",
    )
