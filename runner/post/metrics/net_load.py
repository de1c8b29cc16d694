"""The system's net load, the duck's curve: demand and losses less what wind and sun could give.

What could be given counts, not what was taken, so that curtailment does not fill the valley.
"""

from __future__ import annotations

import numpy as np

from federates.core.arrays import FloatArray
from federates.core.time import DAY_S
from runner.post.metrics.metric import (
    HOUR_S,
    KW_PER_MW,
    Family,
    Metric,
    market_integral,
    multiplied,
    of_kind,
    step_integral,
)
from runner.post.run_tables import RunTables, once

RAMP_S = 3 * HOUR_S
PERCENT = 100.0


@once
def net_load_mw(tables: RunTables) -> FloatArray:
    """Withdrawals, LDAs included, and losses less wind and sun of the bulk grid that there could be.

    Mean of each market interval, in order, shape (intervals,). [MW]
    """
    withdrawn = tables.column("system", "load_mw") + tables.column("system", "losses_mw")
    demand = tables.interval_means("system", withdrawn)
    weather = tables.interval_means("clearing", tables.column("clearing", "variable_available_mw"))
    return np.array([demand[key] - weather[key] for key in sorted(demand.keys() & weather.keys())])


def ramp_mw(net_mw: FloatArray, apart_count: int) -> float:
    """Greatest rise between intervals that are so many apart; NaN where none are. [MW]"""
    rises = net_mw[apart_count:] - net_mw[:-apart_count]
    return float(rises.max()) if rises.size else np.nan


def swing_mw(net_mw: FloatArray, day_count: int) -> float:
    """Greatest less least of a day, mean over whole days of so many intervals; NaN: there is none. [MW]"""
    days = net_mw[: net_mw.size // day_count * day_count].reshape(-1, day_count)
    return float(np.ptp(days, axis=1).mean()) if days.size else np.nan


def _ramp(tables: RunTables) -> float:
    return ramp_mw(net_load_mw(tables), RAMP_S // tables.run.clock.market_s)


def _swing(tables: RunTables) -> float:
    return swing_mw(net_load_mw(tables), DAY_S // tables.run.clock.market_s)


def _spilt_mwh(tables: RunTables) -> float:
    possible = market_integral(tables, "clearing", "variable_available_mw")
    return possible - market_integral(tables, "clearing", "variable_mw")


def _curtailed_mwh(tables: RunTables) -> float:
    """Sun of DERs counts with that of the bulk grid: it is the same to the system. [MWh]"""
    held_kw = multiplied(tables, "der_type", "curtailed_kw") * of_kind(tables, "der_type", "pv")
    return _spilt_mwh(tables) + step_integral(tables, held_kw / KW_PER_MW)


def _sun_share_pct(tables: RunTables) -> float:
    """Wind and sun, those of DERs included, over the demand at buses and behind interfaces. [%]"""
    injected_kw = multiplied(tables, "der_type", "p_kw") * of_kind(tables, "der_type", "pv")
    own = step_integral(tables, injected_kw / KW_PER_MW)
    weather = market_integral(tables, "clearing", "variable_available_mw")
    demand = step_integral(tables, tables.column("system", "load_mw")) + own
    return PERCENT * (own + weather) / demand if demand > 0.0 else np.nan


FAMILY = Family(
    key="net_load",
    title="Net load: what is left to the other units once wind and sun give what they can",
    metrics=(
        Metric(
            key="net_load_peak_mw", needs=("system", "clearing"), better="less",
            value=lambda t: float(net_load_mw(t).max()), title="net load, peak",
            meaning="greatest net load of the system in a market interval: withdrawals and losses less wind "
            "and sun of the bulk grid that there could be",
        ),
        Metric(
            key="net_load_swing_mw", needs=("system", "clearing"), better="less", value=_swing,
            meaning="greatest less least net load of a day, mean over whole days",
            title="net load, daily swing",
        ),
        Metric(
            key="net_load_ramp_3h_mw", needs=("system", "clearing"), better="less", value=_ramp,
            meaning="greatest rise of net load within three hours", title="net load, steepest three hours",
        ),
        Metric(
            key="renewables_curtailed_mwh", needs=("clearing", "der_type"), better="less",
            value=_curtailed_mwh, title="wind and sun curtailed",
            meaning="wind and sun of the bulk grid that could be and were not taken, and PV of DERs "
            "available and not injected, multiplicity included",
        ),
        Metric(
            key="renewables_share_pct", needs=("system", "clearing", "der_type"), value=_sun_share_pct,
            meaning="wind and sun that there could be in the bulk grid and PV of DERs injected, of all "
            "demand, that of their own sites included",
        ),
    ),
)  # fmt: skip
