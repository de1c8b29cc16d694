"""THE list of DER models, and what a whole fleet can do."""

from __future__ import annotations

import numpy as np

from federates.core.arrays import FloatArray
from federates.der.battery import Battery
from federates.der.fleet import Fleet
from federates.der.flexible import FlexibleLoad
from federates.der.model import DerModel, Interval, PqRange
from federates.der.pv import Photovoltaics

DER_MODELS: tuple[DerModel, ...] = (Photovoltaics(), Battery(), FlexibleLoad())


def feasible(fleet: Fleet, soc_kwh: FloatArray, interval: Interval) -> PqRange:
    """What every device of a fleet can hold through an interval; arrays in fleet order."""
    low, high, q = np.zeros(len(fleet)), np.zeros(len(fleet)), np.zeros(len(fleet))
    for model in DER_MODELS:
        own = fleet.of_kind(model.kind)
        part = Interval(length_s=interval.length_s, limit_kw=interval.limit_kw[own])
        possible = model.feasible(fleet.select(own), soc_kwh[own], part)
        low[own], high[own], q[own] = possible.p_min_kw, possible.p_max_kw, possible.q_max_kvar
    return PqRange(p_min_kw=low, p_max_kw=high, q_max_kvar=q)


def advance(fleet: Fleet, soc_kwh: FloatArray, p_kw: FloatArray, interval: Interval) -> FloatArray:
    """Energy held by every device after the interval, shape (ders,). [kWh]

    Raises
    ------
    ModelError
        If a power is not feasible.
    """
    after = np.zeros(len(fleet))
    for model in DER_MODELS:
        own = fleet.of_kind(model.kind)
        part = Interval(length_s=interval.length_s, limit_kw=interval.limit_kw[own])
        after[own] = model.advance(fleet.select(own), soc_kwh[own], p_kw[own], part)
    return after
