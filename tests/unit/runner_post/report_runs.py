"""A small run with every table that a report draws, and what a parser finds on its page."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

from federates.core import tables as t
from federates.core.tables import EVENT
from federates.recording.parquet import ParquetRecorder
from tests.unit.runner_post.run_folders import Columns, record, run_folder


def full_run(
    folder: Path,
    *,
    bus: str = "110",
    event: str = "line out",
    steps_s: int = 3_600,
    coordination: str = "layered_total_dso",
) -> Path:
    """One hour of LDA ``a`` (multiplicity 10) and ``b``, with values that can be worked out by head.

    It broke off after ``steps_s``.
    """
    run_dir = run_folder(folder, coordination=coordination)
    market, steps = range(0, steps_s, 300), range(0, steps_s, 60)
    _bulk(run_dir, bus, market, steps)
    _reserves(run_dir, market)
    _areas(run_dir, market, steps)
    _settlement(run_dir)
    _federation(run_dir, market)
    recorder = ParquetRecorder(run_dir, "iso_event", 0)
    recorder.add(EVENT, 600, ("A1",), [42.0], text=[event])
    recorder.close()
    return run_dir


def many_overloads(run_dir: Path, *, count: int) -> Path:
    """Add branches to the run's first instant, each above its rating and more so than the one before."""
    names = [f"M{k}" for k in range(count)]
    loading_pct = [110.0 + k for k in range(count)]
    record(run_dir, t.BRANCH, _rows(range(1), *names), {"loading_pct": loading_pct}, federate="more")
    return run_dir


def _rows(instants: range, *ids: str) -> list[tuple[int, str]]:
    return [(instant, id_) for instant in instants for id_ in ids]


def _record(run_dir: Path, table: t.Table, rows: list[tuple[int, str]], **values: list[float]) -> None:
    """Values repeat until there is one a row."""
    columns: Columns = {
        name: [given[k % len(given)] for k in range(len(rows))] for name, given in values.items()
    }
    record(run_dir, table, rows, columns)


def _bulk(run_dir: Path, bus: str, market: range, steps: range) -> None:
    for table in (t.LMP, t.DA_LMP):
        prices = [20.0, 40.0] if table is t.LMP else [25.0]
        more = {} if table is t.LMP else {"relaxed_usd_per_mwh": [28.0, 30.0]}
        instants = market if table is t.LMP else range(1)
        _record(run_dir, table, _rows(instants, bus, "9"), lmp_usd_per_mwh=prices, **more)
    _record(run_dir, t.LINE_PRICE, _rows(market, "A1"), flow_mw=[-100.0], rating_mw=[100.0],
            shadow_price_usd_per_mwh=[7.0])  # fmt: skip
    _record(run_dir, t.CLEARING, _rows(market, "system"), true_cost_usd_per_h=[1_200.0], loss_mw=[2.0],
            reserve_short_mw=[0.0, 1.0, 0.0, 0.0], penalty_set=[0.0, 1.0, 0.0, 0.0])  # fmt: skip
    _record(run_dir, t.DA_CLEARING, _rows(range(1), "system"), loss_mw=[1.5])
    _record(run_dir, t.UNIT, _rows(market, "101_CT_1", "101_CT_2", "102_WIND_1"), output_mw=[5.0, 6.0, 30.0])
    _record(run_dir, t.UNIT_AWARD, _rows(market, "101_CT_1", "101_CT_2", "102_WIND_1"),
            set_point_mw=[4.0, 6.0, 32.0], spin_mw=[1.0, 2.0, 0.0])  # fmt: skip
    _record(run_dir, t.STORE, _rows(market, "313_STORAGE_1"), energy_mwh=[50.0, 60.0])
    _record(run_dir, t.DA_STORE, _rows(range(1), "313_STORAGE_1"), energy_mwh=[55.0])
    _record(run_dir, t.SYSTEM, _rows(steps, "system"), load_mw=[40.0], losses_mw=[1.0], passes=[2.0, 3.0],
            residual_v_pu=[1e-9], residual_s_pu=[2e-10, 0.0], accepted=[1.0])  # fmt: skip
    _record(run_dir, t.BUS, _rows(market, bus, "9"), v_pu=[1.06, 0.98])
    _record(run_dir, t.BRANCH, _rows(market, "A1", "A2", "A3"), from_mw=[-101.0, 20.0, 30.0],
            to_mw=[102.5, -20.0, -30.0], loading_pct=[103.0, 50.0, 101.0])  # fmt: skip


def _settlement(run_dir: Path) -> None:
    """Loads pay 700 and LDA ``a`` 300 day-ahead, units earn 900; 100 are congestion rent, 60 of them its."""
    _record(run_dir, t.ACCOUNT, _rows(range(1), "day_ahead", "real_time"), load_payment_usd=[700.0, -10.0],
            lda_payment_usd=[300.0, 25.0], unit_revenue_usd=[900.0, 12.0], congestion_rent_usd=[100.0, 0.0],
            imbalance_usd=[0.0, 5.0], loss_difference_usd=[0.0, 2.0], make_whole_usd=[40.0, 0.0])  # fmt: skip
    lines = ("unit/g1/day_ahead/energy", "unit/g2/day_ahead/energy", "unit/g1/real_time/energy",
             "load/9/day_ahead/energy", "lda/a/day_ahead/energy", "lda/a/real_time/energy",
             "lda/a/day_ahead/congestion_share", "unit/g2/day_ahead/make_whole")  # fmt: skip
    _record(run_dir, t.SETTLEMENT, _rows(range(1), *lines),
            quantity_mwh=[20.0, 10.0, 1.0, -21.0, -9.0, -1.0, -10.0, 0.0],
            amount_usd=[600.0, 300.0, 12.0, -700.0, -300.0, -25.0, 60.0, 40.0])  # fmt: skip


def _reserves(run_dir: Path, market: range) -> None:
    """Of 6 MW of spin 5 are held in real time, at a penalty; day-ahead all of 4."""
    names = ("total", "spin_R1", "reg_up")
    _record(run_dir, t.RESERVE, _rows(market, *names), required_mw=[0.0, 6.0, 2.0],
            held_mw=[0.0, 5.0, 2.0], short_mw=[0.0, 1.0, 0.0],
            price_usd_per_mw_h=[0.0, 250.0, 9.0])  # fmt: skip
    _record(run_dir, t.DA_RESERVE, _rows(range(1), *names), required_mw=[0.0, 4.0, 2.0],
            held_mw=[0.0, 4.0, 2.0])  # fmt: skip
    _record(run_dir, t.RESERVE_PRICE, _rows(market, "spin/R1", "reg_up/R1"),
            price_usd_per_mw_h=[250.0, 259.0])  # fmt: skip
    _record(run_dir, t.LDA_RESERVE, _rows(market, "a", "b"), spin_mw=[3.0, 1.0], reg_up_mw=[1.0, 0.0],
            reg_down_mw=[2.0, 0.0])  # fmt: skip
    _record(run_dir, t.DEPLOYMENT, _rows(market, "a", "b"), spin_mw=[3.0, 1.0], regulation_mw=[-0.5, 0.0],
            delivered_mw=[2.4, 1.0])  # fmt: skip
    _record(run_dir, t.CAPACITY_INTERVAL, _rows(market, "a", "b"), baseline_mw=[9.0, 5.0],
            award_mw=[4.0, 2.0], called_mw=[2.0, 0.0], import_mw=[7.5, 6.0],
            delivered_mw=[1.5, 0.0])  # fmt: skip
    _record(run_dir, t.CAPACITY, _rows(range(1), "a", "b"), offered_mw=[4.0, 2.0], award_mw=[4.0, 2.0],
            called_mwh=[2.0, 0.0], delivered_mwh=[1.5, 0.0], paid_usd=[400.0, 200.0])  # fmt: skip


def _areas(run_dir: Path, market: range, steps: range) -> None:
    _record(run_dir, t.HEAD, _rows(steps, "a", "b"), p_mw=[11.0, 2.0], substation_loading_pct=[50.0],
            i2_pct=[12.0, 4.0, 14.0, 6.0, 19.0, 8.0], i0_pct=[0.0, 0.5])  # fmt: skip
    _record(run_dir, t.AWARD, _rows(market, "a", "b"), award_mw=[10.0, 2.0], lmp_usd_per_mwh=[20.0])
    bids = [(now, f"{lda}/{now}/{k:02d}") for now in market for lda in ("a", "b") for k in (0, 1)]
    _record(run_dir, t.BID, bids, import_mw=[8.0, 12.0, 1.0, 3.0], price_usd_per_mwh=[30.0, 10.0])
    kinds = ("a/f1/pv", "a/f2/pv", "a/f1/battery", "b/f1/flexible", "a/f2/ev", "b/f1/generator")
    _record(run_dir, t.DER_TYPE, _rows(steps, *kinds), p_kw=[100.0, 200.0, -50.0, -10.0, -20.0, 300.0],
            soc_kwh=[0.0, 0.0, 500.0, *[0.0] * 3], curtailed_kw=[10.0, 0.0, 0.0, 5.0, 0.0, 0.0])  # fmt: skip
    feeders = ("a/f1", "a/f2", "b/f1")
    _record(run_dir, t.FEEDER, _rows(steps, *feeders), v_min_pu=[0.94, 0.96, 0.97], v_p05_pu=[0.97],
            v_median_pu=[1.0], v_p95_pu=[1.02], v_max_pu=[1.03], nodes_outside_a_count=[1.0, 0.0, 0.0],
            line_loading_max_pct=[80.0])  # fmt: skip
    _record(run_dir, t.BINDING, _rows(market, *feeders), voltage_count=[1.0, 0.0, 0.0])
    _record(run_dir, t.DLMP, _rows(market, *feeders), dlmp_usd_per_mwh=[21.0, 24.0, 20.0],
            energy_usd_per_mwh=[20.0], loss_usd_per_mwh=[1.0, 1.0, 0.0], voltage_usd_per_mwh=[0.0, 3.0, 0.0],
            least_usd_per_mwh=[19.0, 15.0, 20.0], greatest_usd_per_mwh=[22.0, 28.0, 20.0])  # fmt: skip
    _record(run_dir, t.DISPATCH, _rows(market, "a", "b"), map_error_pu=[0.001])


def _federation(run_dir: Path, market: range) -> None:
    _record(run_dir, t.TIMING, _rows(market, "iso", "dso_a"), busy_s=[1.0, 2.0], wait_s=[3.0])
    messages = ("dso_a>iso/bids", "iso>dso_a/awards", "agg_a_x>iso/offers")
    _record(run_dir, t.MESSAGE, _rows(market, *messages), size_bytes=[100.0])


@dataclass
class Element:
    """An element of the page with the text directly inside it."""

    name: str
    attributes: dict[str, str]
    text: str = ""


@dataclass
class Page(HTMLParser):
    """Elements of a page in their order."""

    text: str
    elements: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[Element] = []
        self.feed(self.text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(found)
        if tag not in {"meta", "br", "hr"}:
            self._open.append(found)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().name == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        if self._open:
            self._open[-1].text += data

    def all(self, name: str) -> list[Element]:
        """Elements of a name."""
        return [element for element in self.elements if element.name == name]

    def with_attribute(self, name: str) -> list[Element]:
        """Elements that have an attribute."""
        return [element for element in self.elements if name in element.attributes]

    @property
    def scripts(self) -> list[str]:
        """Scripts that run."""
        return [element.text for element in self.all("script") if "type" not in element.attributes]

    @property
    def words(self) -> str:
        """What people can read."""
        return " ".join(e.text for e in self.elements if e.name not in {"script", "style"})

    def data(self, figure: str) -> dict[str, list[dict[str, object]]]:
        """What a figure is drawn from: traces by view; anything but JSON's own numbers is refused."""
        (found,) = [e for e in self.all("script") if e.attributes.get("id") == f"data-{figure}"]
        content = json.loads(found.text, parse_constant=_refuse)
        return {view["name"]: view["traces"] for view in content["views"]}


def _refuse(constant: str) -> float:
    raise AssertionError(f"{constant} is no JSON")
