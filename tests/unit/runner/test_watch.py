"""Who holds a federation up, told from the federates' rows alone."""

from __future__ import annotations

from federates.core.heartbeat import Activity, Beat
from runner.watch import STALL_S, Fault, Limits, fault_in, study_time

LIMITS = Limits(startup_s=20.0, step_s=10.0, iso_s=40.0)
LAUNCHED_S = 1_000.0


def verdict(now_s: float, **beats: Beat) -> Fault | None:
    return fault_in(
        beats,
        now_s=now_s,
        launched_s=LAUNCHED_S,
        begin_s=-2_400,
        limits=LIMITS,
        kind_of=lambda name: name.partition("_")[0],
    )


def beat(activity: Activity, since_s: float = LAUNCHED_S, t: int = 300) -> Beat:
    return Beat(t, t, since_s, activity)


def test_who_computes_beyond_its_limit_is_named_not_those_who_wait() -> None:
    fault = verdict(
        LAUNCHED_S + 11.0,
        dso_a=beat(Activity.WAITING),
        dso_b=beat(Activity.COMPUTING),
        iso=beat(Activity.WAITING),
    )
    assert fault is not None
    assert fault.culprit == "dso_b"
    assert "300 s" in fault.reason


def test_the_iso_has_a_limit_of_its_own() -> None:
    assert verdict(LAUNCHED_S + 39.0, iso=beat(Activity.COMPUTING)) is None
    fault = verdict(LAUNCHED_S + 41.0, iso=beat(Activity.COMPUTING))
    assert fault is not None
    assert "solver_limit" in fault.reason


def test_waiting_for_one_that_computes_is_no_fault_however_long() -> None:
    long = 100 * STALL_S
    now_s = LAUNCHED_S + long
    assert verdict(now_s, dso_a=beat(Activity.WAITING), dso_b=beat(Activity.COMPUTING, now_s - 1.0)) is None


def test_who_is_being_built_is_late_before_who_waits_for_it() -> None:
    rows = {
        "dso_a": beat(Activity.JOINING, LAUNCHED_S + 1.0, t=-2_400),
        "dso_b": beat(Activity.BUILDING, LAUNCHED_S + 15.0, t=-2_400),
        "dso_c": beat(Activity.ABSENT, 0.0),
    }
    assert verdict(LAUNCHED_S + 19.0, **rows) is None
    fault = verdict(LAUNCHED_S + 21.0, **rows)
    assert fault is not None
    assert fault.culprit == "dso_b"
    assert "1 of 3" in fault.reason


def test_a_later_span_of_one_process_has_its_own_start_up() -> None:
    built_s = LAUNCHED_S + 5_000.0
    rows = {
        "dso_a": beat(Activity.BUILDING, built_s, t=86_400),
        "dso_b": beat(Activity.DONE, built_s, t=86_400),
    }
    assert verdict(built_s + 19.0, **rows) is None
    fault = verdict(built_s + 21.0, **rows)
    assert fault is not None
    assert fault.culprit == "dso_a"


def test_a_federation_in_which_nobody_computes_stalls() -> None:
    rows = {"dso_a": beat(Activity.WAITING), "dso_b": beat(Activity.WAITING, LAUNCHED_S + 1.0)}
    assert verdict(LAUNCHED_S + STALL_S, **rows) is None
    fault = verdict(LAUNCHED_S + STALL_S + 2.0, **rows)
    assert fault is not None
    assert fault.culprit == ""
    assert "300 s" in fault.reason


def test_study_time_is_what_all_have_reached() -> None:
    rows = {"a": beat(Activity.WAITING, t=300), "b": beat(Activity.COMPUTING, t=240)}
    assert study_time(rows, -2_400) == 240
    assert study_time(rows | {"c": beat(Activity.JOINING, t=0)}, -2_400) == -2_400
