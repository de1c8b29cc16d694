"""The bulk system: what lies outside the LDAs is never negative, and forecasts are pure."""

from __future__ import annotations

import numpy as np
import pytest

from federates.core.errors import ConfigError
from federates.core.settings import Study
from federates.scenario.staleness import held_by_link_loss
from federates.scenario.system import SystemScenario
from tests.build import RTS_DAY, TINY, sets, study

MW = 1e-9


def with_events(*events: dict[str, object]) -> Study:
    return Study.model_validate({**study().model_dump(mode="json"), "events": list(events)})


def test_residual_and_areas_make_the_whole_load_of_a_bus() -> None:
    """At a bus with an area, the load outside it is the bus's series less the area's gross demand."""
    few, many = (SystemScenario(study(TINY, f"ldas.0.multiplicity={m}")) for m in (1, 5))
    bus = int(few.lda_bus[0])
    one = few.block(0).residual_mw[:, bus] - many.block(0).residual_mw[:, bus]
    kw = sum(load.kw for f in [study().ldas[0].feeders[0]] for load in _loads(f))
    shape = one / (4 * kw * 0.9 / 1_000)
    assert 0.3 < shape.min() <= shape.max() < 1.2
    others = np.arange(few.case.buses.load_mw.size) != bus
    assert np.array_equal(few.block(0).residual_mw[:, others], many.block(0).residual_mw[:, others])


def _loads(group: object) -> tuple[object, ...]:
    from federates.scenario.system import feeder_tables

    return feeder_tables(group, 0).loads  # type: ignore[arg-type]


@pytest.mark.parametrize("path", [TINY, RTS_DAY])
def test_the_shipped_studies_leave_load_outside_their_areas(path: object) -> None:
    system = SystemScenario(study(path))  # type: ignore[arg-type]
    assert (system.block(0).residual_mw >= 0.0).all()


def test_feeders_that_draw_more_than_their_bus_are_refused_with_what_to_do() -> None:
    system = SystemScenario(study(TINY, "ldas.0.multiplicity=200"))
    with pytest.raises(ConfigError) as caught:
        system.block(0)
    text = str(caught.value)
    assert text.startswith("lda1: its feeders draw up to ")
    assert "more than bus B has; lower multiplicity, count or load_scale" in text


def test_a_load_area_without_series_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"lda1: no load series of area 9; areas are \[1"):
        SystemScenario(study(TINY, "ldas.0.load_area=9")).block(0)


def test_what_comes_does_not_hang_on_when_the_study_begins() -> None:
    day = SystemScenario(study(TINY, *sets(horizon__start="2020-03-27", horizon__duration="24 h")))
    evening = SystemScenario(study())
    for t in (0, 1_800, 3_540):
        early, late = day.block(17 * 3_600 + t), evening.block(t)
        one, other = early.place(17 * 3_600 + t), late.place(t)
        np.testing.assert_allclose(early.residual_mw[one], late.residual_mw[other], atol=MW)
        np.testing.assert_allclose(early.available_mw[one], late.available_mw[other], atol=MW)


def test_a_forecast_is_pure_and_differs_from_what_comes() -> None:
    one, other = SystemScenario(study()), SystemScenario(study())
    other.expected(0, -1_000)
    found, again = one.expected(900, 780), other.expected(900, 780)
    assert np.array_equal(found.load_mw, again.load_mw)
    assert np.array_equal(found.available_mw, again.available_mw)
    block = one.block(900)
    comes = block.residual_mw[block.place(900) : block.place(1_200)].mean(axis=0).sum()
    assert 1e-5 < abs(found.load_mw.sum() / comes - 1.0) < 0.05
    assert not np.array_equal(found.load_mw, one.expected(900, -3_600).load_mw)


def test_a_look_ahead_begins_with_the_interval_and_holds_the_last_beyond_the_end() -> None:
    system = SystemScenario(study(TINY, "forecast.kind=perfect"))
    ahead = system.expected(3_000, 2_880, 4)
    for k, t in enumerate((3_000, 3_300, 3_300, 3_300)):
        np.testing.assert_array_equal(ahead.load_mw[k], system.expected(t, 2_880).load_mw[0])
    assert not np.array_equal(ahead.load_mw[0], ahead.load_mw[1])


def test_requirements_are_the_shares_of_the_load() -> None:
    """Tiny's case has no series of its own: 1 % regulation each way, 3 % spin by area, 5 % in all."""
    system = SystemScenario(study())
    series = system.series("real_time", 0)
    first = int((0 - series.t_s[0]) // series.length_s)
    required = system.expected(0, -120).required_mw[0]
    assert required == pytest.approx(series.load_mw[first].sum() * np.array([0.01, 0.01, 0.03, 0.05]))
    none = SystemScenario(study(TINY, "market.reserves.kind=none"))
    assert none.expected(0, -120).required_mw.shape == (1, 0)


def test_perfect_foresight_is_the_series_itself() -> None:
    system = SystemScenario(study(TINY, "forecast.kind=perfect"))
    early, late = system.expected(900, -50_000), system.expected(900, 780)
    assert np.array_equal(early.load_mw, late.load_mw)


def test_a_tripped_unit_is_off_from_its_event_to_its_end() -> None:
    trip = {"kind": "unit_trip", "at": 600, "duration": 300, "unit": "Solitude"}
    system = SystemScenario(with_events(trip))
    place = system.case.units.ids.index("Solitude")
    off = {t: system.tripped(t) for t in (0, 599, 600, 899, 900)}
    assert [bool(off[t][place]) for t in (0, 599, 600, 899, 900)] == [False, False, True, True, False]
    assert off[600].sum() == 1


def test_only_a_link_loss_explains_a_stale_message() -> None:
    loss = {"kind": "link_loss", "at": 300, "duration": 600, "sender": "dso_lda1", "receiver": "iso"}
    wanted = with_events(loss)
    assert held_by_link_loss(wanted, "dso_lda1", "iso", 233, 600)
    # sent after the link was back, or asked before it was lost, or on another link
    assert not held_by_link_loss(wanted, "dso_lda1", "iso", 900, 1_200)
    assert not held_by_link_loss(wanted, "dso_lda1", "iso", 100, 299)
    assert not held_by_link_loss(wanted, "iso", "dso_lda1", 233, 600)
    assert not held_by_link_loss(study(), "dso_lda1", "iso", 233, 600)
