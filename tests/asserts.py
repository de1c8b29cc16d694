"""Laws that every run obeys, asserted on its tables."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from federates.coordination.catalog import MODELS
from federates.coordination.model import Tier
from federates.core.arrays import FloatArray
from federates.core.settings import Study
from federates.core.tables import LDA_ACCOUNT
from federates.iso.penalties import Penalties
from runner.manifest import read_done
from runner.post.hashes import table_hashes
from runner.post.load import load
from runner.post.run_tables import RunTables
from runner.study import load_study

CARRIED = 1e-6
"""Head against interface, relative to the head's apparent power; pass to pass a bus moves by less."""
RESIDUAL_PU = 1e-6
"""Tolerance of the T-D fixed point in the shipped studies."""
PRICE_USD_PER_MWH = 1e-6
"""Sums of three prices of some 100 $/MWh in float64, with room."""
SOLVER_MW = 1e-5
"""The solver's feasibility tolerance of 1e-7 on rows of up to 1000 MW, with room."""
TAKEN_USD_PER_MWH = 1e-3
"""A block whose value is this near the price may be taken in part."""
ENERGY_KWH = 1e-6
"""Rounding of up to some 100 devices' energies in float64, with room."""
KWH_PER_MWH = 1_000.0
UNEXPLAINED_USD = 0.01
"""What a run's settlement may leave unexplained."""
BOOKS_USD = 1e-4
"""Sums of some 1e4 statement lines of some 1e5 $ in float64, with room."""
METERED_MWH = 1e-3
"""The AC solution's slack takes up to 2e-9 of some 8,000 MW, for a day."""
SETTLED_MWH = 1e-9
"""Sums of the same readings, in another order."""
INTERFACE = 1e-9
"""Multiplicity and unit conversion: rounding only, relative."""


def assert_equal_tables(one: Path, other: Path) -> None:
    """Every table of two runs has the same rows, bit for bit."""
    mine, theirs = table_hashes(one), table_hashes(other)
    assert len(mine) > 15
    different = sorted(name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name))
    assert not different, f"tables differ: {', '.join(different)}"


def assert_hashes_written(run_dir: Path) -> None:
    """The hashes of ``done.json`` are those of the files."""
    assert dict(read_done(run_dir).table_hashes) == table_hashes(run_dir)


def column_by(run_dir: Path, table: str, column: str) -> dict[tuple[int, str], float]:
    """Values of a column by instant and id, each there once."""
    rows = load(run_dir, table, [column])
    keys = list(zip(rows["t_s"].to_pylist(), rows["id"].to_pylist(), strict=True))
    assert len(set(keys)) == len(keys), f"{table} has rows twice"
    return dict(zip(keys, rows[column].to_pylist(), strict=True))


def assert_every_interval_cleared(run_dir: Path, study: Study) -> None:
    """One clearing for each market interval, with an award for each LDA and a price at each bus."""
    clock = study.clock
    instants = list(range(0, clock.duration_s, clock.market_s))
    tables = RunTables(run_dir)
    assert tables.t_s("clearing").tolist() == instants
    expected = {(t, lda.name) for t in instants for lda in study.ldas}
    assert column_by(run_dir, "award", "award_mw").keys() == expected
    assert set(tables.t_s("lmp").tolist()) == set(instants)
    assert tables.t_s("system").tolist() == list(range(0, clock.duration_s, clock.step_s))


def assert_head_is_carried(run_dir: Path, study: Study) -> None:
    """At every step OpenDSS draws at each head what the AC solution of the bulk grid delivers there."""
    clock = study.clock
    steps = {(t, lda.name) for t in range(0, clock.duration_s, clock.step_s) for lda in study.ldas}
    head = {c: column_by(run_dir, "head", c) for c in ("p_mw", "q_mvar", "v_pu")}
    bulk = {c: column_by(run_dir, "interface", c) for c in ("p_mw", "q_mvar", "v_pu")}
    assert head["p_mw"].keys() == bulk["p_mw"].keys() == steps
    for key in steps:
        s_mva = np.hypot(head["p_mw"][key], head["q_mvar"][key])
        assert s_mva > 0.0
        for column in ("p_mw", "q_mvar"):
            gap = abs(head[column][key] - bulk[column][key])
            assert gap <= CARRIED * max(s_mva, 1.0), (column, *key, gap)
        assert abs(head["v_pu"][key] - bulk["v_pu"][key]) <= RESIDUAL_PU, key


def assert_fixed_point_met(run_dir: Path) -> None:
    """Every step was accepted within the tolerance, and one pass was never enough to know it."""
    tables = RunTables(run_dir)
    for column in ("residual_v_pu", "residual_s_pu"):
        assert tables.column("system", column).max() <= RESIDUAL_PU
    assert (tables.column("system", "accepted") == 1.0).all()
    assert tables.column("system", "passes").min() >= 2.0


def assert_interface_counts_multiplicity_once(run_dir: Path, study: Study) -> None:
    """A head draws what its feeders draw and the substation transformer loses, times multiplicity."""
    head = column_by(run_dir, "head", "p_mw")
    feeder = column_by(run_dir, "feeder", "p_kw")
    for lda in study.ldas:
        names = [f"{lda.name}/{g.name}{k + 1}" for g in lda.feeders for k in range(g.count)]
        for t in range(0, study.clock.duration_s, study.clock.step_s):
            below_kw = sum(feeder[t, name] for name in names)
            one_kw = head[t, lda.name] * KWH_PER_MWH / lda.multiplicity
            # at 5 MVA per feeder the transformer loses less than 1 % of its rating
            assert 0.0 < one_kw - below_kw < 50.0 * len(names), (t, lda.name)


def ders_awarded_by_the_iso(run_dir: Path, study: Study) -> dict[tuple[int, str], float]:
    """Injection that the ISO awarded to each LDA's DERs past its DSO, from the plant's set-points."""
    if MODELS[study.coordination].offers_to is not Tier.ISO:
        return {}
    total: dict[tuple[int, str], float] = {}
    for (t, name), kw in column_by(run_dir, "der", "set_point_kw").items():
        lda = study.lda(name.split("/")[0])
        key = (t, lda.name)
        total[key] = total.get(key, 0.0) + kw * lda.multiplicity / KWH_PER_MWH
    assert max(map(abs, total.values())) > SOLVER_MW
    return total


def assert_awards_within_bids(run_dir: Path, study: Study) -> None:
    """An award lies on its bid: blocks worth more than the price are taken, those worth less are not.

    The price is the one before caps: what is published may be the cap, and no block's measure.
    """
    award = column_by(run_dir, "award", "award_mw")
    raw = column_by(run_dir, "lmp", "raw_usd_per_mwh")
    lmp = {(t, lda): raw[t, study.lda(lda).bus] for t, lda in award}
    ends: dict[tuple[int, str], list[float]] = {}
    prices: dict[tuple[int, str], list[float]] = {}
    value = column_by(run_dir, "bid", "price_usd_per_mwh")
    for (t, name), mw in sorted(column_by(run_dir, "bid", "import_mw").items()):
        lda, interval, _ = name.split("/")
        assert int(interval) == t
        ends.setdefault((t, lda), []).append(mw)
        prices.setdefault((t, lda), []).append(value[t, name])
    assert ends.keys() == award.keys()
    taken = ders_awarded_by_the_iso(run_dir, study)
    for key, net_mw in award.items():
        end, price = np.array(ends[key]), np.array(prices[key])
        mw = net_mw + taken.get(key, 0.0)
        assert end[0] - SOLVER_MW <= mw <= end[-1] + SOLVER_MW, key
        assert (np.diff(end) >= 0.0).all()
        assert (np.diff(price) <= 0.0).all()
        worth = end[1:][price[1:] > lmp[key] + TAKEN_USD_PER_MWH]
        worthless = end[:-1][price[1:] < lmp[key] - TAKEN_USD_PER_MWH]
        assert mw >= worth.max(initial=end[0]) - SOLVER_MW, key
        assert mw <= worthless.min(initial=end[-1]) + SOLVER_MW, key


def assert_prices_add_up(run_dir: Path) -> None:
    """Raw price = energy + congestion + loss, LMP = raw price with caps; day-ahead and in real time."""
    tables = RunTables(run_dir)
    for table in ("lmp", "da_lmp"):
        parts = ("energy_usd_per_mwh", "congestion_usd_per_mwh", "loss_usd_per_mwh")
        total = sum(tables.column(table, part) for part in parts)
        raw = tables.column(table, "raw_usd_per_mwh")
        assert np.abs(total - raw).max() <= PRICE_USD_PER_MWH, table
        capped = np.clip(raw, Penalties().floor_usd_per_mwh, Penalties().cap_usd_per_mwh)
        assert np.abs(capped - tables.column(table, "lmp_usd_per_mwh")).max() <= PRICE_USD_PER_MWH, table


def assert_market_balances(run_dir: Path) -> None:
    """Units serve the demand cleared, less what is shed and more what has no taker, in both markets."""
    tables = RunTables(run_dir)
    for cleared, units, column in (
        ("clearing", "unit_award", "set_point_mw"),
        ("da_clearing", "da_unit", "schedule_mw"),
    ):
        times = tables.t_s(units)
        for k, t in enumerate(tables.t_s(cleared).tolist()):
            units_mw = tables.column(units, column)[times == t].sum()
            demand, shed, surplus = (
                tables.column(cleared, c)[k] for c in ("demand_mw", "shed_mw", "surplus_mw")
            )
            assert abs(units_mw - demand + shed - surplus) <= SOLVER_MW, (cleared, t)


def assert_reserves_are_held(run_dir: Path, study: Study) -> None:
    """What is held and what is short make up each requirement; products by region add up to the awards."""
    tables = RunTables(run_dir)
    for prefix, units in (("", "unit_award"), ("da_", "da_unit")):
        bought = f"{prefix}reserve" in tables.names
        assert bought == (study.market.reserves.kind != "none")
        if not bought:
            continue
        required, held, short = (
            tables.column(f"{prefix}reserve", f"{name}_mw") for name in ("required", "held", "short")
        )
        assert (held + short >= required - SOLVER_MW).all()
        assert required.max() > 1.0
        product, place = tables.owners(f"{prefix}reserve_price")
        by_region = np.bincount(place, tables.column(f"{prefix}reserve_price", "award_mw"), len(product))
        for name, awarded_mw in zip(product, by_region.tolist(), strict=True):
            sellers = [t for t in (units, f"{prefix}lda_reserve") if t in tables.names]
            sold_mw = sum(tables.column(table, f"{name}_mw").sum() for table in sellers)
            assert abs(sold_mw - awarded_mw) <= SOLVER_MW * max(1.0, abs(awarded_mw)), name


def assert_stores_conserve(run_dir: Path, energy_kwh: dict[str, float], efficiency: float, dt_s: int) -> int:
    """Energy of each kind and feeder, from one step to the next, is that of its power and efficiency.

    ``der_type`` adds up devices. What they draw together is stored with at most one device's losses: equal
    where all charge or all discharge, less where some do one and some the other.
    """
    soc = column_by(run_dir, "der_type", "soc_kwh")
    power = column_by(run_dir, "der_type", "p_kw")
    batteries = sorted({name for _, name in soc if name.endswith("/battery") and name in energy_kwh})
    assert batteries
    equal = 0
    for name in batteries:
        times = sorted(t for t, n in soc if n == name)
        for before, t in pairwise(times):
            p_kw, change = power[t, name], soc[t, name] - soc[before, name]
            most = stored_kwh(p_kw, efficiency, dt_s)
            assert change <= most + ENERGY_KWH, (t, name, change, most)
            equal += abs(change - most) <= ENERGY_KWH and abs(p_kw) > 1.0
            assert -ENERGY_KWH <= soc[t, name] <= energy_kwh[name] + ENERGY_KWH
    return equal


def stored_kwh(p_kw: float, efficiency: float, dt_s: int) -> float:
    """Change of the energy stored at an injection held for ``dt_s``. [kWh]"""
    taken_kw = p_kw / efficiency if p_kw > 0.0 else p_kw * efficiency
    return -taken_kw * dt_s / 3_600.0


def bypass_count(run_dir: Path) -> int:
    """Messages between the ISO and aggregators, past the DSO, from the message log."""
    tables = RunTables(run_dir)
    names, codes = tables.ids("message")
    past = [_is_bypass(name) for name in names]
    return int(np.array(past)[codes].sum())


def _is_bypass(name: str) -> bool:
    sender, _, rest = name.partition(">")
    ends = (sender, rest.split("/")[0])
    return "iso" in ends and any(end.startswith("agg_") for end in ends)


def assert_bypass_is_wired(run_dir: Path, study: Study) -> None:
    """Messages pass the DSO by where the coordination model wires it so, and nowhere else."""
    links = MODELS[study.coordination].links
    wired = any({link.from_kind, link.to_kind} == {"iso", "aggregator"} for link in links)
    assert (bypass_count(run_dir) > 0) == wired


def energy_settled_mwh(run_dir: Path) -> dict[str, float]:
    """Energy settled in both markets together, by kind of participant (negative = drawn). [MWh]"""
    total: dict[str, float] = {}
    for (_, name), mwh in column_by(run_dir, "settlement", "quantity_mwh").items():
        kind, item = name.split("/")[0], name.split("/")[-1]
        if item == "energy":
            total[kind] = total.get(kind, 0.0) + mwh
    return total


def assert_settled(run_dir: Path, study: Study) -> None:
    """Statement lines, accounts and meters agree: every MWh is settled once, every cent has a place."""
    tables, clock = RunTables(run_dir), study.clock
    markets = ("day_ahead", "real_time")
    unexplained = column_by(run_dir, "account", "unexplained_usd")
    assert unexplained.keys() == {(clock.midnight(day), m) for day in clock.days for m in markets}
    assert sum(map(abs, unexplained.values())) <= UNEXPLAINED_USD
    if "distribution_account" in tables.names:
        assert np.abs(tables.column("distribution_account", "unexplained_usd")).sum() <= UNEXPLAINED_USD
        assert (tables.column("distribution_account", "load_usd") > 0.0).any()
    assert_settled_below(tables)
    assert tables.column("account", "load_payment_usd").sum() > 0.0
    lines = column_by(run_dir, "settlement", "amount_usd")
    cents = 100.0 * np.array(list(lines.values()))
    assert np.abs(cents - np.rint(cents)).max() <= BOOKS_USD
    paid = sum(usd for (_, name), usd in lines.items() if not name.startswith("iso/"))
    kept = sum(unexplained.values()) + tables.column("account", "rounding_usd").sum()
    assert abs(paid + kept) <= BOOKS_USD
    settled = energy_settled_mwh(run_dir)
    drawn_mwh = tables.step_h * tables.column("system", "load_mw").sum()
    import_mwh = tables.step_h * tables.column("interface", "p_mw").sum()
    below_mwh = settled["lda"] + settled.get("der", 0.0)
    assert ("der" in settled) == (MODELS[study.coordination].offers_to is Tier.ISO)
    assert abs(below_mwh + import_mwh) <= METERED_MWH
    assert abs(settled["load"] + below_mwh + drawn_mwh) <= METERED_MWH
    lost_mwh = tables.step_h * tables.column("system", "losses_mw").sum()
    assert abs(settled["unit"] - drawn_mwh - lost_mwh) <= METERED_MWH
    assert abs(tables.column("account", "meter_gap_mwh").sum()) <= METERED_MWH


def assert_settled_below(tables: RunTables) -> None:
    """DSOs' books close on meters of their own, and statements are what the books say, once for every MWh."""
    books = {c.name: float(tables.column("lda_account", c.name).sum()) for c in LDA_ACCOUNT.columns}
    assert np.abs(tables.column("lda_account", "unexplained_usd")).sum() <= UNEXPLAINED_USD
    names, codes = tables.ids("statement")
    times = tables.multiplicities("statement")
    settled_with = load(tables.run_dir, "statement", ["settled_with"])["settled_with"].to_pylist()
    is_own = np.array([who == "dso" for who in settled_with])
    is_energy = np.array([name.endswith("/energy") for name in names])[codes]
    is_der = np.array([name.split("/")[1] == "der" for name in names])[codes]
    usd = times * tables.column("statement", "amount_usd")
    is_reserve = np.array([name.endswith("/reserve") for name in names])[codes]
    assert books["der_usd"] == pytest.approx(-usd[is_der & is_own & is_energy].sum(), abs=BOOKS_USD)
    assert books["der_reserve_usd"] == pytest.approx(-usd[is_reserve].sum(), abs=BOOKS_USD)
    assert books["load_usd"] == pytest.approx(-usd[~is_der & is_energy].sum(), abs=BOOKS_USD) != 0.0
    left = -usd[is_own].sum() + books["purchase_usd"] + books["reserve_usd"]
    assert left == pytest.approx(books["rounding_usd"] + books["unexplained_usd"], abs=BOOKS_USD)
    mwh = times * tables.column("statement", "quantity_mwh")
    lost_mwh = (
        tables.step_h * (tables.column("head", "losses_kw") * tables.multiplicities("head")).sum() / 1e3
    )
    import_mwh = tables.step_h * tables.column("head", "p_mw").sum()
    assert mwh[is_energy].sum() + import_mwh == pytest.approx(lost_mwh, abs=METERED_MWH) != 0.0
    cents = 100.0 * tables.column("statement", "amount_usd")
    assert np.abs(cents - np.rint(cents)).max() <= BOOKS_USD


def assert_laws(run_dir: Path) -> None:
    """Every law that holds for any run of any coordination model."""
    study = load_study(run_dir / "study.yaml").study
    assert_every_interval_cleared(run_dir, study)
    assert_head_is_carried(run_dir, study)
    assert_fixed_point_met(run_dir)
    assert_interface_counts_multiplicity_once(run_dir, study)
    assert_awards_within_bids(run_dir, study)
    assert_prices_add_up(run_dir)
    assert_reserves_are_held(run_dir, study)
    assert_bypass_is_wired(run_dir, study)
    assert_settled(run_dir, study)
    assert_hashes_written(run_dir)


def values_of(run_dir: Path, table: str, column: str) -> FloatArray:
    """Values of a column, rows by time and id."""
    return RunTables(run_dir).column(table, column)
