"""Builders: the shipped studies, small contexts, small offers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from federates.coordination.catalog import MODELS
from federates.core.context import Context, seatings
from federates.core.der_settings import DER_KINDS
from federates.core.forward import FILE, ForwardPlan
from federates.core.settings import Study
from federates.core.wiring import expand
from federates.recording.memory import MemoryRecorder
from runner.study import load_study

ROOT = Path(__file__).parent.parent
TINY = ROOT / "configs" / "studies" / "tiny.yaml"
RTS_DAY = ROOT / "configs" / "studies" / "rts_day.yaml"
DUCK_DAY = ROOT / "configs" / "studies" / "duck_day.yaml"
DAY_HOURS = 24
KEYS = {model.code: key for key, model in MODELS.items()}
"""Key of each coordination model by its code."""


def study(path: Path = TINY, *sets: str) -> Study:
    """A shipped study with values put into it."""
    return load_study(path, sets).study


def context(wanted: Study, name: str, run_dir: Path) -> Context:
    """What the federate of a name is built from; it records into memory."""
    everyone = seatings(wanted)
    return Context(
        study=wanted,
        seating=next(s for s in everyone if s.name == name),
        wires=expand(MODELS[wanted.coordination].all_links, everyone),
        recorder=MemoryRecorder(),
        run_dir=run_dir,
    )


def plan(folder: Path) -> None:
    """Write a forward plan of `tiny`: one day with an even price."""
    units, buses = 5, 5
    ForwardPlan(
        committed=np.ones((1, DAY_HOURS, units), dtype=np.bool_),
        state_on=np.ones((1, units), dtype=np.bool_),
        state_h=np.ones((1, units)),
        state_mw=np.zeros((1, units)),
        state_mwh=np.zeros((1, units)),
        lmp_usd_per_mwh=np.full((1, DAY_HOURS, buses), 30.0),
        gap=np.zeros(1),
        is_time_limited=np.zeros(1, dtype=np.bool_),
    ).write(folder / FILE)


def sets(**values: object) -> tuple[str, ...]:
    """Values for keys, as ``--set`` takes them; two underscores stand for a dot."""
    return tuple(f"{key.replace('__', '.')}={value}" for key, value in values.items())


def resources(wanted: Study, group: str, lda: int = 0) -> Sequence[str]:
    """Kinds of DERs that a feeder group of an LDA has."""
    ders = next(g for g in wanted.ldas[lda].feeders if g.name == group).ders
    return [kind for kind in DER_KINDS if getattr(ders, kind) is not None]
