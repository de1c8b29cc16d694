"""Published limits say of every injection within reach what the DSO's own program says of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array

from federates.core.codec import decode, encode
from federates.core.messages import FeederModel
from federates.dso.case import FeederCase, FeederLimits, feeder_case
from federates.dso.feeder_model import (
    LimitRows,
    SeenFeeder,
    area_rows,
    feeder_model,
    feeder_rows,
    reach_columns,
)
from tests.unit.dso.area import Area, expected_kw, offers, standing_area

KEPT = 1e-7
"""Rounding of sums of some MW, in rows of pu^2 and MW."""
DRAWS = 400


def seen(area: Area, limits: FeederLimits) -> tuple[SeenFeeder, FeederCase]:
    """A feeder of which every fifth DER stands still, and the DSO's case of the same."""
    columns = offers(area.size_kw)
    point = area.point(0.6 * expected_kw(columns))
    directed = np.arange(area.size_kw.size) % 5 != 0
    most = np.where(directed, columns.top_kw, columns.floor_kw)
    reach = reach_columns(columns.floor_kw, most, columns.base_kw, columns.q_kvar)
    column = np.where(directed, area.size_kw.size - 1 - np.arange(area.size_kw.size), -1)
    feeder = SeenFeeder(point=point, reach=reach, directed=directed, limits=limits, column=column)
    return feeder, feeder_case(point, reach.ordered(area.map.order), limits)


def keeps(case: FeederCase, p_kw: np.ndarray) -> bool:
    """Whether injections in the map's order keep every limit of a case."""
    drawn = case.import_at_floor_mw - float((p_kw - case.columns.floor_kw).sum()) / 1e3
    excess = float(case.excess(p_kw, case.columns.q_kvar).max())
    head = max(drawn - case.greatest_import_mw, case.least_import_mw - drawn)
    return max(excess, head) <= 0.0


@pytest.mark.parametrize(
    ("feeder", "ders", "share", "load", "rating", "import_mw"),
    [("ieee123", 40, 3.5, 0.7, 0.35, np.inf), ("ieee13", 12, 1.5, 1.0, 1.0, 3.0)],
)
def test_an_injection_keeps_the_rows_if_and_only_if_it_keeps_the_limits(
    feeder: str, ders: int, share: float, load: float, rating: float, import_mw: float
) -> None:
    one, case = seen(
        standing_area(feeder, ders, share, load), FeederLimits(loading_pu=rating, import_mw=import_mw)
    )
    order = one.point.map.order
    rows = area_rows([one], ders, constant_mw=0.0, substation_mw=100.0)
    rng = np.random.default_rng(3)
    inside = outside = 0
    for _ in range(DRAWS):
        # near the base state some keep every limit, over the whole reach hardly any
        way = rng.uniform() * rng.uniform(size=ders)
        target = one.reach.floor_kw + rng.uniform(size=ders) * one.reach.width_kw
        p_kw = one.reach.base_kw.clip(one.reach.floor_kw, one.reach.top_kw)
        p_kw = p_kw + way * (target - p_kw)
        offered = np.zeros(ders)
        offered[one.column[one.directed]] = p_kw[one.directed] / 1e3
        over = rows.coefficient @ offered - rows.upper_mw
        if keeps(case, p_kw[order]):
            assert over.max() <= KEPT
            inside += 1
        else:
            assert over.max() > -KEPT
            outside += 1
    assert min(inside, outside) > DRAWS // 20


def test_rows_are_scaled_differ_and_hold_only_directed_ders() -> None:
    one, case = seen(standing_area("ieee123", 40, 3.5, 0.7), FeederLimits(loading_pu=0.35))
    order = one.point.map.order
    rows = feeder_rows(case, one.directed[order])
    dense = rows.coefficient.toarray()
    assert 20 < dense.shape[0] < 0.2 * case.bound.size
    assert dense.shape[1] == one.directed.sum()
    np.testing.assert_allclose(np.abs(dense).max(axis=1), 1.0, rtol=1e-12)
    assert np.unique(dense.round(9), axis=0).shape == dense.shape


def test_nothing_is_published_of_a_feeder_that_nothing_can_overload() -> None:
    area = standing_area("ieee13", 12, 1.0, 1.0)
    columns = offers(area.size_kw)
    point = area.point(np.zeros(area.size_kw.size))
    still = reach_columns(columns.base_kw, columns.base_kw, columns.base_kw, columns.q_kvar)
    feeder = SeenFeeder(
        point=point,
        reach=still,
        directed=np.ones(12, dtype=np.bool_),
        limits=FeederLimits(),
        column=np.arange(12),
    )
    assert area_rows([feeder], 12, constant_mw=0.0, substation_mw=100.0).upper_mw.size == 0
    moving = replace(
        feeder, reach=reach_columns(columns.floor_kw, columns.top_kw, columns.base_kw, columns.q_kvar)
    )
    assert area_rows([moving], 12, constant_mw=0.0, substation_mw=100.0).upper_mw.size > 0


def test_a_substation_holds_all_feeders_together() -> None:
    """Idle import 3 MW, 4 MW of DERs: 3 MW of export would take 6: no row. Idle 0.5: 0.5 of export take 1."""
    area = standing_area("ieee13", 12, 1.0, 1.0)
    zero = np.zeros(12)
    reach = reach_columns(zero, np.full(12, 4_000.0 / 12), zero, zero)
    one = SeenFeeder(
        point=area.point(zero),
        reach=reach,
        directed=np.ones(12, dtype=np.bool_),
        limits=FeederLimits(v_min_pu=0.5, v_max_pu=1.5, loading_pu=100.0),
        column=np.arange(12),
    )
    idle_mw = one.point.p_head_kw / 1e3
    loose = area_rows([one], 12, constant_mw=3.0 - idle_mw, substation_mw=3.0)
    assert loose.upper_mw.size == 0
    tight = area_rows([one], 12, constant_mw=0.5 - idle_mw, substation_mw=0.5)
    np.testing.assert_allclose(tight.coefficient.toarray(), np.ones((1, 12)))
    np.testing.assert_allclose(tight.upper_mw, [1.0], rtol=1e-12)


def test_a_message_holds_all_intervals_and_counts_multiplicity_once() -> None:
    first = LimitRows(
        coefficient=csr_array(np.array([[1.0, 0.0], [0.5, 1.0]])), upper_mw=np.array([2.0, 3.0])
    )
    second = LimitRows(coefficient=csr_array(np.array([[0.0, -1.0]])), upper_mw=np.array([4.0]))
    sent = feeder_model([first, second], interval_s=300, length_s=60, multiplicity=10)
    _, got = decode(encode(sent, 0), FeederModel)
    assert got.rows.tolist() == [2, 1]
    assert got.entries.tolist() == [1, 2, 1]
    assert got.der.tolist() == [0, 0, 1, 1]
    assert got.coefficient.tolist() == [1.0, 0.5, 1.0, -1.0]
    assert got.upper_mw.tolist() == [20.0, 30.0, 40.0]
