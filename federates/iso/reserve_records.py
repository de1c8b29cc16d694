"""Reserves that a clearing awards, as rows of tables: requirements, products by region, LDAs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from federates.cases.case import TransmissionCase
from federates.core import tables
from federates.core.arrays import FloatArray
from federates.core.tables import Recorder, Table
from federates.core.time import SimTime
from federates.iso.day_ahead import DayReserves
from federates.iso.reserves import PRODUCTS, nested_rules
from federates.iso.sced import SystemReserves


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tables:
    """Where the rows of one market go."""

    requirement: Table
    product: Table
    lda: Table


REAL_TIME = _Tables(requirement=tables.RESERVE, product=tables.RESERVE_PRICE, lda=tables.LDA_RESERVE)
DAY_AHEAD = _Tables(requirement=tables.DA_RESERVE, product=tables.DA_RESERVE_PRICE, lda=tables.DA_LDA_RESERVE)


class ReserveRecords:
    """Writes reserves to a recorder; a market without requirements has no rows.

    Parameters
    ----------
    recorder
        Where rows go.
    case
        The transmission system; its areas are the regions.
    ldas
        Name and bus of each LDA, in the order of the market's curves.
    """

    def __init__(self, recorder: Recorder, case: TransmissionCase, ldas: Sequence[tuple[str, int]]) -> None:
        self._recorder = recorder
        self._ldas = tuple(name for name, _ in ldas)
        lda_bus = np.array([bus for _, bus in ldas], dtype=np.int64)
        self._rules = nested_rules(case.buses.area)
        self._serves = self._rules.serves()
        self._bus = np.concatenate((case.units.bus, lda_bus))
        regions, self._one_bus, region = np.unique(case.buses.area, return_index=True, return_inverse=True)
        self._region = region[self._bus]
        self._ids = [f"{product}/R{r}" for product in PRODUCTS for r in regions.tolist()]

    def real_time(self, now: SimTime, found: SystemReserves) -> None:
        """Reserves of one interval."""
        self._add(REAL_TIME, now, found)

    def day_ahead(self, t: SimTime, found: DayReserves, hour: int) -> None:
        """Reserves of one hour of a day."""
        self._add(
            DAY_AHEAD,
            t,
            SystemReserves(
                unit_mw=found.unit_mw[hour],
                curve_mw=found.curve_mw[hour],
                price_usd_per_mw_h=found.price_usd_per_mw_h[hour],
                required_mw=found.required_mw[hour],
                short_mw=found.short_mw[hour],
                requirement_usd_per_mw_h=found.requirement_usd_per_mw_h[hour],
            ),
        )

    def _add(self, to: _Tables, t: SimTime, found: SystemReserves) -> None:
        if not found.required_mw.size:
            return
        awarded_mw = np.hstack((found.unit_mw, found.curve_mw))
        held: FloatArray = np.einsum("kpr,pr->k", self._serves[:, :, self._bus], awarded_mw)
        self._recorder.add(
            to.requirement,
            t,
            self._rules.names,
            found.required_mw,
            held,
            found.short_mw,
            found.requirement_usd_per_mw_h,
        )
        regions = self._one_bus.size
        by_region = [np.bincount(self._region, weights=mw, minlength=regions) for mw in awarded_mw]
        price = found.price_usd_per_mw_h[:, self._one_bus]
        self._recorder.add(to.product, t, self._ids, np.concatenate(by_region), price.ravel())
        if found.curve_mw.any():
            self._recorder.add(to.lda, t, self._ldas, *found.curve_mw)
