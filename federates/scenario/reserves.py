"""Reserve requirements of a study: the case's own series, or shares of its load.

Requirements are, in this order: regulation up, regulation down, spin of each area (ascending), total.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from federates.cases.case import Series, TransmissionCase
from federates.cases.rts_reserves import read_rts_reserves
from federates.core.arrays import FloatArray
from federates.core.settings import CaseReserves, NoReserves, ReserveSettings, ShareReserves
from federates.core.time import Clock


def required_mw(
    settings: ReserveSettings,
    case: TransmissionCase,
    clock: Clock,
    resolution: Literal["day_ahead", "real_time"],
    series: Series,
) -> FloatArray:
    """Requirements over the times of a series, shape (times, requirements); no columns without reserves. [MW]

    Raises
    ------
    MissingInputError
        If the case's files do not hold them.
    """
    match settings:
        case NoReserves():
            return np.zeros((series.t_s.size, 0))
        case CaseReserves() if case.series == "rts_gmlc":
            begin, end = int(series.t_s[0]), int(series.t_s[-1]) + series.length_s
            return read_rts_reserves(clock, resolution, begin, end)
        case CaseReserves():
            return _shares(ShareReserves(kind="shares"), case, series)
        case ShareReserves():
            return _shares(settings, case, series)


def _shares(shares: ShareReserves, case: TransmissionCase, series: Series) -> FloatArray:
    load = series.load_mw.sum(axis=1)
    areas = np.unique(case.buses.area)
    by_area = [series.load_mw[:, case.buses.area == area].sum(axis=1) for area in areas]
    columns = [
        shares.regulation * load,
        shares.regulation * load,
        *(shares.spin * area for area in by_area),
        shares.total * load,
    ]
    return np.stack(columns, axis=1)
