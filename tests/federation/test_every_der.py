"""One hour of a federation whose second LDA has every kind of DER: each acts, from offer to plant."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from federates.core.der_settings import DER_KINDS
from runner.post.load import load
from tests.build import TINY
from tests.federation.study_runs import run

pytestmark = pytest.mark.federation
LDA, GROUP = "lda2", "urban"
RAMP_KW = 30.0
"""What a generator of 150 kW moves by in a minute, 20 % of it. [kW]"""
MINUTES = 60
OPT_OUT = range(1_800, 2_700)
"""When the heat pumps' owners opt out. [s]"""
EVERY_KIND = """\
include: [{tiny}]
name: every_der
coordination: {model}
events:
  - {{kind: unit_trip, at: 50 min, duration: 10 min, unit: Brighton}}
  - {{kind: der_opt_out, at: 30 min, duration: 15 min, lda: lda2, ders: urban/hvac}}
"""
DERS = (
    "ldas.1.feeders.0.ders.flexible={share: 5 %}",
    "ldas.1.feeders.0.ders.ev={count: 60, charging: managed, charger: 1.5, v2g: true, initial_charge: 30 %}",
    "ldas.1.feeders.0.ders.hvac={count: 60, mode: heat}",
    "ldas.1.feeders.0.ders.water_heater={count: 60, comfort_low: 64 C}",
    "ldas.1.feeders.0.ders.process={power: 100 kW, daily_energy: 400 kWh, window_end: 18 h}",
    "ldas.1.feeders.0.ders.generator={power: 300 kW, count: 2, fuel_cost: 20, start_cost: 1}",
)


@pytest.fixture(scope="module", params=["uncoordinated", "grand_central_blind", "layered_total_dso"])
def run_dir(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    study = folder / "every_der.yaml"
    study.write_text(EVERY_KIND.format(tiny=TINY, model=request.param))
    return run(study, folder / "results", *DERS).run_dir


def by_kind(table: pa.Table, column: str) -> dict[str, np.ndarray]:
    """A column of the second LDA's feeder, over time, by kind."""
    ids, values = np.array(table["id"].to_pylist()), np.array(table[column].to_pylist())
    t = np.array(table["t_s"].to_pylist())
    rows = {kind: np.flatnonzero(ids == f"{LDA}/{GROUP}1/{kind}") for kind in DER_KINDS}
    return {kind: values[own][np.argsort(t[own])] for kind, own in rows.items()}


def model_of(run_dir: Path) -> str:
    return run_dir.parents[2].name.rstrip("0123456789")


def test_every_kind_acts(run_dir: Path) -> None:
    p_kw = by_kind(load(run_dir, "der_type"), "p_kw")
    assert all(power.size == MINUTES for power in p_kw.values())
    for kind in set(DER_KINDS) - {"generator"}:
        assert np.abs(p_kw[kind]).max() > 1.0, kind
    charging = -p_kw["ev"] / 1.5
    assert charging.max() > 20.0, "30 kWh in a night at 1.5 kW: the charger insists at any price"
    np.testing.assert_allclose(charging, np.rint(charging), atol=1e-6)
    if model_of(run_dir) == "uncoordinated":
        assert not p_kw["generator"].any(), "nobody asks a generator to run"
        assert p_kw["hvac"].max() < -100.0, "thermostats hold the middle of the band"
    else:
        assert p_kw["generator"].max() == pytest.approx(300.0), "20 $/MWh against a price of 30"
        assert p_kw["hvac"].max() > -10.0, "rooms wait for what the night costs"


def test_set_points_are_kept_wherever_bounds_allow(run_dir: Path) -> None:
    """A generator comes up by its ramp: 20 % of 150 kW from its least output of 45 kW in the first minute.

    Where it is asked to come down by more within a minute, it misses that for this minute.
    """
    if model_of(run_dir) == "uncoordinated":
        return
    der = load(run_dir, "der")
    ids, t = np.array(der["id"].to_pylist()), np.array(der["t_s"].to_pylist())
    for kind, from_s in (("battery", 0), ("generator", 300)):
        own = (np.char.find(ids, f"/{GROUP}1_{kind}_") > 0) & (t >= from_s)
        held, asked = (np.array(der[column].to_pylist())[own] for column in ("p_kw", "set_point_kw"))
        missed = np.abs(held - asked) > 1e-6
        assert missed.mean() < (0.1 if kind == "generator" else 1e-9)
        assert (np.abs(held - asked) < RAMP_KW).all()
    first = (np.char.find(ids, f"/{GROUP}1_generator_") > 0) & (t == 0)
    assert np.array(der["p_kw"].to_pylist())[first] == pytest.approx([45.0, 45.0])


def test_what_is_left_undone_is_counted(run_dir: Path) -> None:
    service = load(run_dir, "der_service")
    unserved, outside, cost, starts, co2 = (
        by_kind(service, column)
        for column in ("unserved_kwh", "outside_min", "cost_usd", "starts_count", "co2_kg")
    )
    assert all(of.size == MINUTES // 5 for of in unserved.values())
    assert not outside["hvac"].any(), "comfort is the owners' own"
    assert outside["water_heater"].sum() > 0.0, "a draw takes 5 kW at most, more than 4.5 kW replace"
    # the window closes at the study's end: 400 kWh, a fifth more or less, of which an hour takes 100
    assert 220.0 <= unserved["process"].sum() <= 400.0
    assert cost["process"].sum() == pytest.approx(0.15 * unserved["process"].sum())
    energy_mwh = by_kind(load(run_dir, "der_type"), "p_kw")["generator"].sum() / MINUTES / 1_000.0
    assert co2["generator"].sum() == pytest.approx(550.0 * energy_mwh)
    assert cost["generator"].sum() == pytest.approx(20.0 * energy_mwh + 0.15 * starts["generator"].sum())
    assert starts["generator"].sum() == (0.0 if model_of(run_dir) == "uncoordinated" else 2.0)


def test_who_opts_out_follows_its_thermostat_meanwhile(run_dir: Path) -> None:
    p_kw = by_kind(load(run_dir, "der_type"), "p_kw")["hvac"]
    energy = by_kind(load(run_dir, "der_type"), "soc_kwh")["hvac"]
    begin, end = OPT_OUT.start // 60, OPT_OUT.stop // 60
    if model_of(run_dir) != "uncoordinated":
        assert energy[begin - 1] < 0.5 * energy[0], "rooms had been left to cool"
        assert energy[end] < energy[end - 1], "and are again"
    # 2.7 kW of electric power hold a room in the middle of its band; what is colder takes all that there is
    assert (p_kw[begin:end] < -60 * 1.5).all()
    assert energy[end - 1] == pytest.approx(0.5 * 60 * 2.0 * 3.0, rel=0.02)


def test_inverters_on_their_volt_var_curve_bring_a_feeder_s_voltages_down(tmp_path: Path) -> None:
    noon = (
        "coordination=uncoordinated",
        "horizon.start=2020-03-27T12:00:00",
        "horizon.duration=10 min",
        "ldas.0.multiplicity=2",
        "ldas.0.feeders.0.ders.pv.power=3.5 MW",
        "ldas.0.feeders.0.load_scale=0.5",
        "ldas.0.feeders.0.line_length_scale=1.5",
        "ldas.0.feeders.0.regulators.v_set={reg60: 124}",
    )
    highest, drawn = {}, {}
    for q in ("none", "local_volt_var"):
        done = run(TINY, tmp_path / q, *noon, f"der_q={q}").run_dir
        feeder, types = load(done, "feeder"), load(done, "der_type")
        solar = np.array(feeder["id"].to_pylist()) == "lda1/solar1"
        highest[q] = np.array(feeder["v_max_pu"].to_pylist())[solar].max()
        drawn[q] = np.array(types["q_kvar"].to_pylist()).min()
    assert highest["none"] > 1.05
    assert highest["local_volt_var"] < highest["none"] - 0.003
    assert drawn["none"] == 0.0
    assert drawn["local_volt_var"] < -50.0
