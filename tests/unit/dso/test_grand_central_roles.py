"""DSOs of M2 and M3: who is told what, before anything is cleared or after."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from federates.core import tables
from federates.core.arrays import FloatArray
from federates.core.errors import MissingInputError
from federates.core.messages import DerEnvelopes, DerLimits, SetPoints, Telemetry
from federates.core.protocol import Grant, Inbox, Received
from federates.core.settings import Study
from federates.dso.roles.envelopes import Envelopes
from federates.dso.roles.override import Override
from federates.recording.memory import MemoryRecorder
from federates.scenario.lda import LdaScenario
from federates.scenario.meters import Meters
from tests.build import TINY, context, plan, study

NAME, AGGREGATOR = "dso_lda1", "agg_lda1_supplier"
SUN_AT_NOON = ("ldas.0.feeders.0.ders.pv.power=5 MW", "ldas.0.feeders.0.load_scale=0.4")
DAY_AHEAD_S = -2_400 + 50
NOON, HOURS = 12, 24
KW = 1e-6


def under(model: str, *sets: str) -> Study:
    return study(TINY, f"coordination={model}", *SUN_AT_NOON, *sets)


def envelopes(folder: Path, *sets: str) -> tuple[FloatArray, FloatArray, LdaScenario]:
    """Least and greatest injection of each DER in each hour, shapes (24, ders) [kW], and the scenario."""
    wanted = under("grand_central_envelope", *sets)
    plan(folder)
    role = Envelopes(context(wanted, NAME, folder))
    (sent,) = role.day_ahead_envelopes(Grant(DAY_AHEAD_S, Inbox({}, None))).sent
    assert sent.to == AGGREGATOR
    message = sent.message
    assert isinstance(message, DerEnvelopes)
    assert (message.intervals, message.length_s, message.interval_s) == (HOURS, 3_600, -17 * 3_600)
    least, most = (v.reshape(HOURS, -1) * 1_000 for v in (message.least_mw, message.most_mw))
    return least, most, LdaScenario(wanted, "lda1")


def test_the_rule_of_the_study_shares_the_room(tmp_path: Path) -> None:
    """At noon the export limit binds. Shares are the same, the same kW, or as many kW as there can be."""
    room = {}
    for rule in ("proportional", "equal", "maximum_service"):
        least, most, scenario = envelopes(tmp_path, f"envelope_rule={rule}")
        hour = scenario.expected_day(0, scenario.study.clock.day_ahead_issue(0))[NOON]
        rest = np.clip(scenario.base_kw(hour.least_kw), hour.least_kw, hour.available_kw)
        assert (least <= rest[None] + KW)[NOON].all()
        assert (least >= hour.least_kw - KW)[NOON].all()
        assert (most <= hour.available_kw + KW)[NOON].all()
        up, able = most[NOON] - rest, hour.available_kw - rest
        assert up.sum() < 0.9 * able.sum()
        room[rule] = up, able
    up, able = room["proportional"]
    share = up[able > KW] / able[able > KW]
    np.testing.assert_allclose(share, share[0], rtol=1e-6)
    up, able = room["equal"]
    np.testing.assert_allclose(up, np.minimum(up.max(), able), atol=KW)
    assert room["maximum_service"][0].sum() > max(room[rule][0].sum() for rule in ("proportional", "equal"))


def test_who_does_not_participate_is_allowed_what_it_does_by_itself(tmp_path: Path) -> None:
    least, most, scenario = envelopes(tmp_path, "ldas.0.feeders.0.ders.participation=50 %")
    free = ~scenario.directed(DAY_AHEAD_S)
    assert 5 < free.sum() < free.size - 5
    np.testing.assert_allclose(least[:, free], most[:, free])
    assert (most[NOON, ~free] - least[NOON, ~free]).min() > 0.0


def check(folder: Path, asked_kw: FloatArray | None) -> tuple[DerLimits, MemoryRecorder]:
    """What the DSO of M2 allows at noon of what is asked of its DERs."""
    wanted = under("grand_central_override", "horizon.start=2020-03-27T12:00:00")
    plan(folder)
    built = context(wanted, NAME, folder)
    assert isinstance(built.recorder, MemoryRecorder)
    role, scenario = Override(built), LdaScenario(wanted, "lda1")
    arrivals = {"telemetry": {"feeder_lda1": Received("feeder_lda1", -50, -50, telemetry(scenario))}}
    if asked_kw is not None:
        points = SetPoints(p_mw=asked_kw / 1_000, q_mvar=np.zeros_like(asked_kw))
        arrivals["set_points"] = {AGGREGATOR: Received(AGGREGATOR, 2, 2, points)}
    (sent,) = role.check(Grant(3, Inbox(arrivals, None))).sent
    assert isinstance(sent.message, DerLimits)
    return sent.message, built.recorder


def telemetry(scenario: LdaScenario) -> Telemetry:
    """Meters of an area whose demand is as forecast and whose DERs rest."""
    none = np.zeros(len(scenario.fleet))
    meters = Meters(scenario)
    demand = scenario.day_ahead_demand(-60, 60)
    return Telemetry(
        head_p_mw=float(demand.kw.sum()) / 1_000,
        head_q_mvar=float(demand.kvar.sum()) / 1_000,
        head_v_pu=1.0,
        feeder_p_mw=np.array([demand.kw.sum() / 1_000]),
        feeder_q_mvar=np.array([demand.kvar.sum() / 1_000]),
        taps=np.zeros(4),
        der_p_mw=none,
        der_q_mvar=none,
        soc_mwh=scenario.fleet.initial_kwh / 1_000,
        load_p_mw=demand.kw[meters.load] / 1_000,
        load_q_mvar=demand.kvar[meters.load] / 1_000,
    )


def test_a_dispatch_that_the_feeders_bear_is_left_alone(tmp_path: Path) -> None:
    scenario = LdaScenario(under("grand_central_override"), "lda1")
    limits, recorder = check(tmp_path, scenario.base_kw(-scenario.fleet.power_kw))
    assert limits.der.size == limits.least_mw.size == limits.most_mw.size == 0
    assert not recorder.rows(tables.OVERRIDE_CHECK).values[0][0]


def test_only_ders_that_are_held_back_are_named_between_rest_and_what_is_left(tmp_path: Path) -> None:
    scenario = LdaScenario(under("grand_central_override"), "lda1")
    sun = scenario.fleet.of_kind("pv")
    asked = np.where(sun, scenario.fleet.power_kw, scenario.base_kw(-scenario.fleet.power_kw))
    limits, recorder = check(tmp_path, asked)
    assert limits.interval_s == 0
    assert sun[limits.der].all()
    assert limits.der.size > 0
    assert not limits.least_mw.any()
    assert (limits.most_mw * 1_000 < asked[limits.der]).all()
    names = recorder.ids(tables.OVERRIDE)
    assert names == tuple(f"lda1/{scenario.fleet.ids[k]}" for k in limits.der.tolist())


def test_without_set_points_there_is_nothing_to_check(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="dso_lda1 at 3 s: no set-points of agg_lda1_supplier yet"):
        check(tmp_path, None)
