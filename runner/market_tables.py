"""What the tools ``clear`` and ``commit`` find, as tables for people."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import cast

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table

Row = Mapping[str, object]
MOST_ROWS = 40
"""Longest table of buses or units that is shown whole."""
WIDTH = 110
LEVELS = "▁▂▃▄▅▆▇█"
OFF = "·"


def cleared_text(found: Mapping[str, object]) -> str:
    """Tables of a clearing: system, buses, units, lines that bind."""
    answer, system = _row(found["answer"]), _row(found["system"])
    counts = ", ".join(f"{_whole(system[f'{noun}_count'])} {noun}" for noun in ("buses", "branches", "units"))
    losses = f"losses of {_fixed(answer['loss_mw'], 1)} MW" if _number(answer["loss_mw"]) else "lossless"
    head = f"{system['name']}: {counts}; direct current, {losses}"
    cost = (
        f"cost {_fixed(answer['objective_usd_per_h'], 2)} $/h   "
        f"load {_fixed(system['load_mw'], 1)} MW   output {_fixed(system['output_mw'], 1)} "
        f"of {_fixed(system['capacity_mw'], 1)} MW   "
        f"energy price {_fixed(system['energy_usd_per_mwh'], 3)} $/MWh"
    )
    tables: list[RenderableType] = [head, cost, ""]
    buses = _rows(found["buses"])
    tables += _cut("buses", _table(("bus",), _BUS_COLUMNS, _extremes(buses, "lmp_usd_per_mwh")), len(buses))
    units = _rows(found["units"])
    tables += _cut("units", _table(("unit", "bus"), _UNIT_COLUMNS, _extremes(units, "output_mw")), len(units))
    lines = _rows(found["lines"])
    tables += ["lines that bind", _table(("line",), _LINE_COLUMNS, lines)] if lines else ["no line binds"]
    return _drawn(tables)


_BUS_COLUMNS = (
    ("load_mw", "load MW", 1),
    ("lmp_usd_per_mwh", "LMP $/MWh", 3),
    ("energy_usd_per_mwh", "= energy", 3),
    ("congestion_usd_per_mwh", "+ congestion", 3),
    ("loss_usd_per_mwh", "+ loss", 3),
)
_UNIT_COLUMNS = (
    ("output_mw", "output MW", 3),
    ("p_min_mw", "least MW", 1),
    ("p_max_mw", "greatest MW", 1),
    ("lmp_usd_per_mwh", "LMP $/MWh", 3),
)
_LINE_COLUMNS = (
    ("flow_mw", "flow MW", 3),
    ("rating_mw", "rating MW", 1),
    ("shadow_price_usd_per_mwh", "shadow price $/MWh", 3),
)


def committed_text(found: Mapping[str, object]) -> str:
    """Tables of a commitment: cost and proof, units by hour, prices by hour."""
    answer = _row(found["answer"])
    head = (
        f"RTS-GMLC {answer['date']}: cost {_fixed(answer['objective_usd'], 0)} $; "
        f"no commitment costs less than {_fixed(answer['bound_usd'], 0)} $ "
        f"(certified gap {_fixed(answer['gap_pct'], 3)} %); {_fixed(answer['cpu_s'], 1)} CPU s"
    )
    legend = f"output by hour, as a share of the greatest: {OFF} off, {LEVELS[0]} least ... {LEVELS[-1]} all"
    prices = (
        f"prices by hour from the pricing run with {answer['pricing_run']}, $/MWh\n"
        "reserves (greatest of all buses, $/MW/h) and lines from the one with commitment fixed"
    )
    hours = _rows(found["hours"])
    parts: list[RenderableType] = [
        head,
        "",
        legend,
        _picture(_rows(found["groups"])),
        prices,
        _hour_table(hours),
    ]
    if any(hour["penalty_priced"] for hour in hours):
        parts.append("* a penalty sets prices")
    return _drawn(parts)


def _picture(groups: Sequence[Row]) -> Table:
    table = _blank()
    table.add_column("kind")
    table.add_column("unit")
    table.add_column(_ruler(24), no_wrap=True)
    for heading in ("hours on", "MWh"):
        table.add_column(heading, justify="right")
    for group in groups:
        rows = _rows(group["rows"])
        shown = [row for row in rows if any(_numbers(row["on"]))]
        for k, row in enumerate(shown):
            output, hours_on = _numbers(row["output_mw"]), sum(_numbers(row["on"]))
            table.add_row(
                str(group["kind"]) if k == 0 else "",
                str(row["name"]),
                _levels(output, _numbers(row["on"]), _number(row["most_mw"])),
                _whole(hours_on) if group["is_committed"] else "",
                _fixed(sum(output), 0),
            )
        if len(shown) < len(rows):
            idle = f"{len(rows) - len(shown)} of {len(rows)} off all day"
            table.add_row("" if shown else str(group["kind"]), idle, "", "", "")
    return table


def _levels(output_mw: Sequence[float], on: Sequence[float], most_mw: float) -> str:
    """One character an hour; charging is ``-``."""
    marks = []
    for mw, is_on in zip(output_mw, on, strict=True):
        step = min(int(len(LEVELS) * max(mw, 0.0) / most_mw), len(LEVELS) - 1) if most_mw > 0.0 else 0
        marks.append("-" if mw < 0.0 else LEVELS[step] if is_on else OFF)
    return "".join(marks)


def _ruler(hours: int) -> str:
    return "".join(f"{hour:<6}" for hour in range(0, hours, 6))


_RESERVES = {"reg_up": "reg up", "reg_down": "reg dn", "spin": "spin", "supplemental": "suppl"}
"""Reserve products and their headings."""


def _hour_table(hours: Sequence[Row]) -> Table:
    table = _blank()
    for heading in ("hour", "MW", "loss", "least", "mean", "greatest", *_RESERVES.values()):
        table.add_column(heading, justify="right")
    table.add_column("lines that bind")
    for row in hours:
        binding, reserve = _row(row["binding"]), _row(row["reserve_usd_per_mw_h"])
        table.add_row(
            _whole(row["hour"]) + ("*" if row["penalty_priced"] else ""),
            _fixed(row["demand_mw"], 0),
            _fixed(row["loss_mw"], 0),
            *(_fixed(row[f"{which}_usd_per_mwh"], 2) for which in ("least", "mean", "greatest")),
            *(_fixed(reserve[product], 2) for product in _RESERVES),
            ", ".join(f"{line} ({_fixed(price, 2)})" for line, price in binding.items()),
        )
    return table


def shortfalls(answer: Row) -> str:
    """Warning about what the market could not keep; empty where all is kept."""
    unit = "mw" if "unserved_mw" in answer else "mwh"
    broken = [
        f"{_fixed(answer[f'{key}_{unit}'], 3)} {unit.upper().replace('H', 'h')} {meaning}"
        for key, meaning in (
            ("unserved", "of load not served"),
            ("surplus", "without a taker"),
            ("overload", "beyond line ratings"),
            ("reserve_short", "of reserve not held"),
        )
        if _number(answer.get(f"{key}_{unit}", 0.0)) > _NOTHING_MW
    ]
    return f"warning: {', '.join(broken)}; penalties set prices" if broken else ""


_NOTHING_MW = 1e-5


def _extremes(rows: Sequence[Row], key: str) -> Sequence[Row]:
    """All rows, or of many those with the least and the greatest values of ``key``, in their order."""
    if len(rows) <= MOST_ROWS:
        return rows
    order = sorted(range(len(rows)), key=lambda k: _number(rows[k][key]))
    kept = {*order[: MOST_ROWS // 2], *order[-MOST_ROWS // 2 :]}
    return [row for k, row in enumerate(rows) if k in kept]


def _cut(noun: str, table: Table, count: int) -> list[RenderableType]:
    of = f": {MOST_ROWS} of {count:,}, the least and the greatest (all with --json)"
    return [noun + (of if count > MOST_ROWS else ""), table]


def _table(names: Sequence[str], columns: Sequence[tuple[str, str, int]], rows: Sequence[Row]) -> Table:
    table = _blank()
    for name in names:
        table.add_column(name)
    for _, heading, _ in columns:
        table.add_column(heading, justify="right")
    for row in rows:
        numbers = (_fixed(row[key], digits) for key, _, digits in columns)
        table.add_row(*(str(row[name]) for name in names), *numbers)
    return table


def _blank() -> Table:
    return Table(box=box.SIMPLE, pad_edge=False)


def _drawn(parts: Sequence[RenderableType]) -> str:
    page = io.StringIO()
    console = Console(file=page, width=WIDTH, color_system=None, highlight=False, markup=False)
    for part in parts:
        console.print(part, soft_wrap=isinstance(part, str))
    return "\n".join(line.rstrip() for line in page.getvalue().splitlines())


def _row(value: object) -> Row:
    return cast("Row", value)


def _rows(value: object) -> Sequence[Row]:
    return cast("Sequence[Row]", value)


def _number(value: object) -> float:
    return float(cast("float", value))


def _numbers(value: object) -> Sequence[float]:
    return cast("Sequence[float]", value)


def _whole(value: object) -> str:
    return f"{_number(value):,.0f}"


def _fixed(value: object, digits: int) -> str:
    text = f"{_number(value):,.{digits}f}"
    return text.removeprefix("-") if not text.strip("-0.,") else text
