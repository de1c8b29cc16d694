"""A feeder with many loads along one line, and mixes for it."""

from __future__ import annotations

import numpy as np

from federates.der.fleet import Mix
from federates.distribution.model import Feeder, Line, LineConfig, Load

PEAK_KW = 2_000.0
EVERYTHING = Mix(
    pv_kw=1_500.0,
    battery_kw=400.0,
    battery_kwh=800.0,
    ev_count=200,
    flexible_share=0.15,
    evening_bump=0.1,
)


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
