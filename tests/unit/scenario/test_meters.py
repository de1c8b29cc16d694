"""Meters: which loads have one, how late they are, how far they err, and that all hangs on seeds and time."""

from __future__ import annotations

import numpy as np
import pytest

from federates.scenario.lda import LdaScenario
from federates.scenario.meters import Meters
from tests.build import TINY, sets, study

PERFECT = sets(estimation__noise=0, estimation__delay=0, estimation__meters=1)
TWO_DAYS = sets(horizon__start="2020-03-27T11:00:00", horizon__duration="14 h")
MIDNIGHT_S = 13 * 3_600


def meters(*values: str, lda: str = "lda2") -> tuple[LdaScenario, Meters]:
    scenario = LdaScenario(study(TINY, *values), lda)
    return scenario, Meters(scenario)


def test_a_larger_share_of_metered_loads_holds_the_smaller() -> None:
    shares = [set(meters(f"estimation.meters={share}")[1].load.tolist()) for share in (0, 0.3, 0.6, 1)]
    assert [len(own) for own in (shares[0], shares[-1])] == [0, meters()[0].peak_kw.size]
    assert shares[0] < shares[1] < shares[2] < shares[3]


def test_perfect_meters_show_what_comes() -> None:
    scenario, exact = meters(*PERFECT)
    for step in (-600, 0, 1_800):
        shown = exact.loads_kva(step)
        np.testing.assert_array_equal(shown.real, scenario.actual(step).demand_kw)
        np.testing.assert_array_equal(shown.imag, scenario.actual(step).demand_kvar)


def test_readings_come_as_late_as_stated_and_the_first_stands_until_then() -> None:
    """Five steps of 60 s; physics begin 600 s before the study."""
    scenario, late = meters(*PERFECT[:1], *sets(estimation__delay=5, estimation__meters=1))
    for step, read_at in ((1_800, 1_500), (0, -300), (-400, -600), (-600, -600)):
        assert late.read_at(step) == read_at
        np.testing.assert_array_equal(late.loads_kva(step).real, scenario.demand(read_at)[0])
    assert not np.array_equal(late.loads_kva(1_800), late.loads_kva(1_740))


def test_readings_over_midnight_do_not_hang_on_what_was_asked_before() -> None:
    _, going_on = meters(*TWO_DAYS)
    steps = range(MIDNIGHT_S - 300, MIDNIGHT_S + 1_200, 300)
    before = [going_on.loads_kva(t) for t in steps]
    for t, shown in zip(steps, before, strict=True):
        np.testing.assert_array_equal(meters(*TWO_DAYS)[1].loads_kva(t), shown)
    day = meters(*sets(horizon__start="2020-03-27", horizon__duration="25 h"))[1]
    np.testing.assert_array_equal(day.loads_kva(MIDNIGHT_S + 11 * 3_600), going_on.loads_kva(MIDNIGHT_S))


def test_errors_have_the_stated_size_and_no_bias() -> None:
    """300 readings: a standard deviation errs by 1/sqrt(600) of itself, a mean by sigma/sqrt(300); five of
    these are allowed. A head's errors of P and Q are drawn apart."""
    scenario, noisy = meters(
        *sets(horizon__duration="5 h"),
        *sets(estimation__noise=0.02, estimation__delay=0, estimation__meters=1, estimation__head_noise=0.01),
    )
    loads, heads = [], []
    for step in range(0, 300 * 60, 60):
        kw, kvar = scenario.demand(step)
        shown = noisy.loads_kva(step)
        loads.append([shown.real / kw - 1.0, shown.imag / kvar - 1.0])
        heads.append(noisy.heads_kva(step, np.array([1e3 + 5e2j]))[0] - (1e3 + 5e2j))
    error, head = np.array(loads), np.array(heads)
    assert error.std(axis=0) == pytest.approx(np.full(error.shape[1:], 0.02), rel=5 / np.sqrt(600))
    assert np.abs(error.mean(axis=0)).max() <= 5 * 0.02 / np.sqrt(300)
    sigma_kw = 0.01 * scenario.peak_kw.sum()
    assert [head.real.std(), head.imag.std()] == pytest.approx([sigma_kw] * 2, rel=5 / np.sqrt(600))
    assert abs(np.corrcoef(head.real, head.imag)[0, 1]) < 5 / np.sqrt(300)
