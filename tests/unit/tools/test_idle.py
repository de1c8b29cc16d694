"""Market days with DERs idle: who rests, who is curtailed, and what the market makes up for."""

from __future__ import annotations

import numpy as np
import pytest

from federates.core.arrays import FloatArray
from federates.core.settings import Study
from federates.core.tables import DA_CLEARING, DA_DER
from federates.recording.memory import MemoryRecorder
from federates.scenario.lda import LdaScenario
from federates.tools.forward import forward_plan
from federates.tools.idle import clear_idle
from tests.build import DAY_HOURS, TINY, study

SETS = (
    "ldas.1.feeders.0.ders.ev.charging=managed",
    "ldas.0.feeders.0.ders.generator={power: 100 kW}",
    "ldas.0.feeders.0.ders.participation=0.5",
)


def cleared(wanted: Study, fixed_mw: float) -> MemoryRecorder:
    recorder = MemoryRecorder()
    fixed = {lda.name: [fixed_mw] * DAY_HOURS for lda in wanted.ldas}
    clear_idle(wanted, forward_plan(wanted), fixed, recorder)
    return recorder


def by_kind(recorder: MemoryRecorder, lda: str, kind: str, column: str = "p_kw") -> FloatArray:
    """Values of a kind of an LDA, hour by hour, shape (24,)."""
    mine = [name.startswith(f"{lda}/") and name.split("/")[2] == kind for name in recorder.ids(DA_DER)]
    values = recorder.column(DA_DER, column)[np.array(mine)]
    total: FloatArray = values.reshape(DAY_HOURS, -1).sum(axis=1)
    return total


def test_nobody_uses_flexibility_and_the_sun_is_taken_where_it_is_worth_something() -> None:
    wanted = study(TINY, *SETS)
    recorder = cleared(wanted, 10.0)
    for lda in ("lda1", "lda2"):
        scenario = LdaScenario(wanted, lda)
        hours = scenario.expected_day(0, wanted.clock.day_ahead_issue(0))
        sun = scenario.fleet.of_kind("pv")
        expected_kw = [float(hour.available_kw[sun].sum()) for hour in hours]
        assert max(expected_kw) > 300.0
        assert by_kind(recorder, lda, "pv") == pytest.approx(expected_kw)
        assert not by_kind(recorder, lda, "battery").any()
    assert not by_kind(recorder, "lda1", "generator").any()
    assert not by_kind(recorder, "lda1", "flexible", "curtailed_kw").any()
    # vehicles come home in the evening and charge there and then
    charged_kwh = -by_kind(recorder, "lda2", "ev")
    assert charged_kwh.sum() > 500.0
    assert charged_kwh[17:23].sum() > 0.8 * charged_kwh[9:].sum()


def test_the_sun_is_curtailed_where_nobody_takes_it_but_not_outside_the_market() -> None:
    """LDAs that feed in more than the system draws; half of lda1's DERs are outside the market."""
    wanted = study(TINY, *SETS)
    recorder, scenario = cleared(wanted, -2_000.0), LdaScenario(wanted, "lda1")
    inside = scenario.fleet.of_kind("pv") & scenario.fleet.participates
    outside = scenario.fleet.of_kind("pv") & ~scenario.fleet.participates
    noon = scenario.expected_day(0, wanted.clock.day_ahead_issue(0))[12]
    left_kw, own_kw = (float(noon.available_kw[who].sum()) for who in (inside, outside))
    assert min(left_kw, own_kw) > 100.0
    assert by_kind(recorder, "lda1", "pv")[12] == pytest.approx(own_kw)
    assert by_kind(recorder, "lda1", "pv", "curtailed_kw")[12] == pytest.approx(left_kw)


def test_units_serve_what_was_bid_less_what_idle_ders_give() -> None:
    """Two LDAs that draw 10 MW more each, hour by hour, are 20 MW more demand."""
    wanted = study(TINY, *SETS)
    low, high = (cleared(wanted, mw).column(DA_CLEARING, "demand_mw") for mw in (10.0, 20.0))
    losses_mw = 0.5
    assert high - low == pytest.approx(np.full(DAY_HOURS, 20.0), abs=losses_mw)
