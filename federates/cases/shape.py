"""Series for cases that bring none: base loads times the day's shape of an RTS-GMLC area."""

from __future__ import annotations

import numpy as np

from federates.cases.case import Series, TransmissionCase
from federates.cases.rts_series import Resolution, Window, area_loads, day_shape
from federates.core.errors import ConfigError
from federates.core.time import Clock


def shaped_series(
    case: TransmissionCase,
    clock: Clock,
    resolution: Resolution,
    begin_s: int,
    end_s: int,
    shape_area: int = 1,
) -> Series:
    """Series of every hour or five minutes that overlaps the window; all areas share one shape.

    A bus draws its base load at the greatest load of each day, and every unit may give its ``p_max_mw``.

    Parameters
    ----------
    case : TransmissionCase
        Any case.
    clock : Clock
        Clock of the study.
    resolution : {"day_ahead", "real_time"}
        Hourly or five-minute series.
    begin_s, end_s : int
        Study times; may lie before the study's start or after its end. [s]
    shape_area : int
        RTS-GMLC area (1, 2 or 3) whose load gives the shape.

    Raises
    ------
    MissingInputError
        If the window leaves the year of the data, or a file is missing or broken.
    ConfigError
        If the window is empty or there is no such area.
    """
    window = Window(clock=clock, resolution=resolution, begin_s=begin_s, end_s=end_s)
    areas, load_mw = area_loads(window)
    if shape_area not in areas:
        raise ConfigError(f"shape area {shape_area} is none of the RTS-GMLC areas {areas.tolist()}")
    column = int(np.flatnonzero(areas == shape_area)[0])
    inside = window.inside
    shape = day_shape(load_mw[:, [column]], window.per_day)[inside]
    case_areas = np.unique(case.buses.area)
    times = shape.shape[0]
    return Series(
        t_s=window.t_s[inside],
        length_s=window.length_s,
        load_mw=shape * case.buses.load_mw,
        available_mw=np.tile(case.units.p_max_mw, (times, 1)),
        must_take=np.zeros(len(case.units.ids), dtype=np.bool_),
        inflow_mw=np.zeros((times, len(case.units.ids))),
        area_shape=np.tile(shape, (1, case_areas.size)),
        areas=case_areas,
    )
