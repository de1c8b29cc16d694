"""Latency, exposure and privacy from a message log made by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from federates.coordination.model import Tier
from federates.core import tables as t
from runner.post.metrics.catalog import METRICS
from runner.post.metrics.exposure import Hanging, crossings, hanging
from runner.post.metrics.latency import lags_s, market_loop
from runner.post.metrics.metric import measured
from runner.post.run_tables import RunTables
from tests.unit.runner_post.run_folders import record, run_folder

KEYS = {Tier.ISO: "grand_central_blind", Tier.DSO: "layered_total_dso", Tier.NOBODY: "uncoordinated"}
SEEN = [8, 68, 128, 188, 248]
"""When meters are read, in each of five steps. [s]"""
LOGS = {
    Tier.ISO: {
        "feeder_a>agg_a_x/der_state": SEEN,
        "agg_a_x>iso/der_offers": [-128, 172],
        "iso>agg_a_x/awards": [0, 300],
        "agg_a_x>feeder_a/set_points": [2, 302],
        "dso_a>iso/bids": [-127, 173],
        "dso_a>feeder_a/limits": [3, 303],
    },
    Tier.DSO: {
        "feeder_a>agg_a_x/der_state": SEEN,
        "feeder_a>dso_a/telemetry": SEEN,
        "agg_a_x>dso_a/offers": [-128, 172],
        "dso_a>iso/bids": [-127, 173],
        "iso>dso_a/awards": [0, 300],
        "dso_a>agg_a_x/awards": [1, 61, 121, 181, 241, 301],
        "agg_a_x>feeder_a/set_points": [2, 62, 122, 182, 242, 302],
    },
    Tier.NOBODY: {
        "feeder_a>agg_a_x/der_state": SEEN,
        "agg_a_x>feeder_a/set_points": [2, 62, 122, 182, 242, 302],
        "dso_a>iso/bids": [-127, 173],
    },
}


@pytest.fixture
def logged(tmp_path: Path) -> dict[Tier, Path]:
    """Two market intervals of LDA ``a``, ten times there: two DERs of 50 and 30 kW, one outside markets."""
    folders = {}
    for tier, log in LOGS.items():
        folder = folders[tier] = run_folder(tmp_path / tier.value, coordination=KEYS[tier])
        rows = [(now, name) for name, sent in log.items() for now in sent]
        record(folder, t.MESSAGE, rows, {"size_bytes": [10.0] * len(rows)})
        units = [(0, f"a/{name}/x") for name in ("one", "two", "aside")]
        columns = {"power_kw": [50.0, 30.0, 500.0], "participates": [1.0, 1.0, 0.0]}
        record(folder, t.DER_UNIT, units, columns, text=("", "", ""))
    return folders


def value(run_dir: Path, key: str) -> float | None:
    return measured(RunTables(run_dir), [METRICS[key]])[key].value


def test_a_lag_is_traced_back_message_by_message() -> None:
    """An answer at 302 stands on 300, 172 and 128; the one at 362 on the same sight, later: not counted."""
    sent = [np.array(times) for times in ([8, 68, 128, 188], [172], [300], [2, 302, 362])]
    assert lags_s(sent).tolist() == [302 - 128]


def test_what_is_sent_at_an_instant_is_not_read_at_it() -> None:
    assert lags_s([np.array([0, 60]), np.array([60])]).tolist() == [60]


def test_sight_to_set_point_by_market_and_beside_it(logged: dict[Tier, Path]) -> None:
    """Seen at 128, offered at 172, awarded at 300, asked at 302: 174 s in four messages; a layer adds two.

    A total DSO minds what it reads at 8 by 62, devices by themselves too; the ISO's do so by awards alone.
    """
    hops = {tier: value(folder, "market_loop_hops_count") for tier, folder in logged.items()}
    assert hops == {Tier.ISO: 4.0, Tier.DSO: 6.0, Tier.NOBODY: 2.0}
    by_market = {tier: value(folder, "market_loop_s") for tier, folder in logged.items()}
    assert by_market == {Tier.ISO: 174.0, Tier.DSO: 174.0, Tier.NOBODY: 54.0}
    locally = {tier: value(folder, "local_loop_s") for tier, folder in logged.items()}
    assert locally == {Tier.ISO: None, Tier.DSO: 54.0, Tier.NOBODY: 54.0}


def test_a_loop_is_as_long_as_its_messages() -> None:
    assert [len(market_loop(tier, "agg_a_x", "a")) for tier in (Tier.ISO, Tier.DSO)] == [4, 6]


def test_ders_hang_on_whoever_gives_awards_to_their_aggregator(logged: dict[Tier, Path]) -> None:
    """Two of three DERs take part: twenty of 800 kW with the multiplicity."""
    whole = {"ders": 20.0, "mw": pytest.approx(0.8)}
    central, layered, alone = (
        {(h.node, h.what): h for h in hanging(RunTables(logged[tier]))} for tier in LOGS
    )
    assert set(central) == {("iso", "set-points"), ("agg_a_x", "set-points"), ("dso_a", "checks")}
    assert set(layered) == {("dso_a", "set-points"), ("agg_a_x", "set-points")}
    assert set(alone) == {("agg_a_x", "set-points")}
    assert central["iso", "set-points"] == Hanging(node="iso", what="set-points", **whole)
    falls = ("iso_falls_mw", "dso_falls_mw", "dso_checks_mw")
    figures = {tier: [value(logged[tier], key) for key in falls] for tier in LOGS}
    assert figures[Tier.ISO] == pytest.approx([0.8, 0.0, 0.8])
    assert figures[Tier.DSO] == pytest.approx([0.0, 0.8, 0.0])
    assert figures[Tier.NOBODY] == pytest.approx([0.0, 0.0, 0.0])
    assert value(logged[Tier.DSO], "blast_radius_ders_count") == 20.0


def test_intervals_without_an_award_are_a_gap(logged: dict[Tier, Path]) -> None:
    """Twelve intervals of an hour: awards in two of them; nobody gives any without a market."""
    assert value(logged[Tier.ISO], "coordination_gap_pct") == pytest.approx(100.0 * 10 / 12)
    assert value(logged[Tier.NOBODY], "coordination_gap_pct") == 100.0


def test_fields_that_tell_ders_apart_cross_only_where_the_iso_hears_of_ders(logged: dict[Tier, Path]) -> None:
    central, layered = crossings(RunTables(logged[Tier.ISO])), crossings(RunTables(logged[Tier.DSO]))
    assert {c.message for c in central if c.is_per_der} == {"DerOffers", "DerAwards"}
    assert {c.message for c in layered} == {"InterfaceBid", "InterfaceAward"}
    assert value(logged[Tier.DSO], "td_der_fields_count") == 0.0
    names = {(c.message, name) for c in central for name in c.fields}
    assert value(logged[Tier.ISO], "td_fields_count") == len(names)
    assert ("DerOffers", "der") in names
