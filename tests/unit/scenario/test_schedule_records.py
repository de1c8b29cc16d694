"""By hand: what day-ahead schedules of DERs cost and put into stores, by kind and aggregator."""

from __future__ import annotations

import numpy as np
import pytest

from federates.core.tables import DA_DER
from federates.recording.memory import MemoryRecorder
from federates.scenario.lda import LdaScenario
from federates.scenario.schedule_records import ScheduleRecords
from tests.build import DAY_HOURS, TINY, study

NOON, NIGHT = 12, 0
SUN_USD_PER_MWH = 7.0


def test_a_schedule_is_written_at_true_cost_with_what_it_puts_into_stores() -> None:
    """Batteries of lda1 charge 100 kW at night and give 50 kW at noon; half of the noon's sun is left."""
    wanted = study(TINY, f"ldas.0.feeders.0.ders.pv.curtailment_cost={SUN_USD_PER_MWH}")
    scenario = LdaScenario(wanted, "lda1")
    fleet, recorder = scenario.fleet, MemoryRecorder()
    hours = scenario.expected_day(0, wanted.clock.day_ahead_issue(0))
    battery, sun = fleet.of_kind("battery"), fleet.of_kind("pv")
    p_kw = np.array(
        [np.where(sun, hour.available_kw, np.where(battery, 0.0, hour.least_kw)) for hour in hours]
    )
    p_kw[NIGHT, battery], p_kw[NOON, battery] = -100.0 / battery.sum(), 50.0 / battery.sum()
    p_kw[NOON, sun] /= 2.0
    ScheduleRecords(recorder, scenario, np.arange(len(fleet))).add(0, [h.ders for h in hours], list(p_kw))

    ids = recorder.ids(DA_DER)
    assert set(ids) == {f"lda1/solar1/{kind}/supplier" for kind in ("battery", "pv", "flexible")}
    assert len(ids) == 3 * DAY_HOURS
    rows = {
        (name.split("/")[2], t): tuple(values)
        for name, t, values in zip(
            ids, recorder.rows(DA_DER).t_s.tolist(), recorder.rows(DA_DER).values.T.tolist(), strict=True
        )
    }
    begin = wanted.clock.day_hours(0)
    efficiency, wear = fleet.charge_efficiency[battery][0], fleet.wear_usd_per_mwh[battery][0]
    assert wear > 0.0
    night, noon = rows["battery", begin[NIGHT]], rows["battery", begin[NOON]]
    assert night == pytest.approx((-100.0, 0.0, 0.1 * wear / 2, 100.0 * efficiency))
    assert noon == pytest.approx((50.0, 0.0, 0.05 * wear / 2, -50.0 / efficiency))
    left_kw = p_kw[NOON, sun].sum()
    assert left_kw > 100.0
    assert rows["pv", begin[NOON]] == pytest.approx((left_kw, left_kw, SUN_USD_PER_MWH * left_kw / 1e3, 0.0))
    assert rows["flexible", begin[NOON]] == pytest.approx((p_kw[NOON, ~battery & ~sun].sum(), 0.0, 0.0, 0.0))
