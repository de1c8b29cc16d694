"""The federation itself: how well transmission and distribution agree, where time went, who spoke."""

from __future__ import annotations

import numpy as np

from federates.core.arrays import FloatArray
from runner.post.figures.drawing import Figure, JsonObject, Section, View
from runner.post.figures.grid import line_grid
from runner.post.figures.series import by_id
from runner.post.figures.traces import BLUE, ORANGE, bars, height, line, safe, short
from runner.post.run_tables import RunTables

KIB = 1_024.0


def _coupling(tables: RunTables) -> tuple[View, ...]:
    grid = line_grid(tables, "system")
    v = by_id(tables, "system", "residual_v_pu", grid, "max")[1][0]
    s = by_id(tables, "system", "residual_s_pu", grid, "max")[1][0]
    passes = by_id(tables, "system", "passes", grid, "max")[1][0]
    steps, counts = np.unique(tables.column("system", "passes"), return_counts=True)
    return (
        View(
            name="Residual",
            traces=(
                line(tables, grid, "voltage [pu]", _above_zero(v), BLUE),
                line(tables, grid, "power [pu of 100 MVA]", _above_zero(s), ORANGE),
            ),
            y_title="residual [pu]",
            layout={"yaxis": {"type": "log", "exponentformat": "power", "dtick": 1}},
        ),
        View(
            name="Passes over time",
            traces=(line(tables, grid, "most passes", passes, BLUE, steps=True),),
            y_title="passes",
            layout={"yaxis": {"rangemode": "tozero"}},
        ),
        View(
            name="Passes, counted",
            traces=(
                {
                    "type": "bar", "name": "physical steps", "x": short(steps), "y": short(counts),
                    "marker": {"color": BLUE},
                },
            ),
            y_title="physical steps",
            x_title="passes of the fixed point",
            layout={"xaxis": {"dtick": 1}},
        ),
    )  # fmt: skip


def _above_zero(values: FloatArray) -> FloatArray:
    """Values that a logarithm can show; an exact zero becomes a gap."""
    shown: FloatArray = np.where(values > 0.0, values, np.nan)
    return shown


def _timing(tables: RunTables) -> tuple[View, ...]:
    names, codes = tables.ids("timing")
    busy = np.bincount(codes, tables.column("timing", "busy_s"), len(names))
    wait = np.bincount(codes, tables.column("timing", "wait_s"), len(names))
    order = np.argsort(busy, kind="stable").tolist()
    rows = [names[k] for k in order]
    return (
        View(
            name="Computing",
            traces=(bars("computing", rows, busy[order], BLUE, "s"),),
            y_title="federate",
            x_title="wall-clock time [s]",
            layout={**height(len(rows)), "yaxis": {"type": "category"}},
        ),
        View(
            name="Computing and waiting",
            traces=(
                bars("computing", rows, busy[order], BLUE, "s"),
                bars("waiting for a grant", rows, wait[order], "#cfd6dd", "s"),
            ),
            y_title="federate",
            x_title="wall-clock time [s]",
            layout={**height(len(rows)), "barmode": "stack", "yaxis": {"type": "category"}},
        ),
    )


def _kind(federate: str) -> str:
    return federate.split("_", maxsplit=1)[0]


_KIND_NAMES = {
    "agg": "aggregator",
    "dso": "DSO",
    "feeder": "feeder",
    "iso": "ISO",
    "transmission": "transmission",
}


def _messages(tables: RunTables) -> tuple[View, ...]:
    names, codes = tables.ids("message")
    counts = np.bincount(codes, minlength=len(names)).astype(np.float64)
    sizes = np.bincount(codes, tables.column("message", "size_bytes"), len(names)) / KIB
    ports = [name.rsplit("/", maxsplit=1)[1] for name in names]
    kinds = sorted(set(ports), key=lambda port: _sum_of(ports, port, counts))
    own_counts = [_sum_of(ports, kind, counts) for kind in kinds]
    own_sizes = [_sum_of(ports, kind, sizes) for kind in kinds]
    layout: JsonObject = {**height(len(kinds)), "yaxis": {"type": "category"}}
    words = [kind.replace("_", " ") for kind in kinds]
    return (
        _who_to_whom(names, counts),
        View(
            name="Count by kind",
            traces=(bars("messages", words, own_counts, BLUE, "messages"),),
            y_title="kind of message",
            x_title="messages",
            layout=layout,
        ),
        View(
            name="Size by kind",
            traces=(bars("size", words, own_sizes, ORANGE, "KiB"),),
            y_title="kind of message",
            x_title="size [KiB]",
            layout=layout,
        ),
    )


def _sum_of(ports: list[str], port: str, values: FloatArray) -> float:
    return float(sum(value for name, value in zip(ports, values.tolist(), strict=True) if name == port))


def _who_to_whom(names: tuple[str, ...], counts: FloatArray) -> View:
    """Messages from each kind of federate to each."""
    ends = [tuple(map(_kind, name.rsplit("/", maxsplit=1)[0].split(">"))) for name in names]
    there = [kind for kind in ("transmission", "iso", "dso", "agg", "feeder") if any(kind in e for e in ends)]
    there += sorted({kind for end in ends for kind in end} - set(there))
    z = np.full((len(there), len(there)), np.nan)
    for (sender, receiver), count in zip(ends, counts.tolist(), strict=True):
        row, column = there.index(sender), there.index(receiver)
        z[row, column] = np.nan_to_num(z[row, column]) + count
    words = [safe(_KIND_NAMES.get(kind, kind)) for kind in there]
    trace: JsonObject = {
        "type": "heatmap", "x": words, "y": words, "z": [short(row) for row in z],
        "colorscale": "Cividis", "zmin": 0, "hoverongaps": False, "xgap": 2, "ygap": 2,
        "texttemplate": "%{z:,}", "showscale": False,
        "hovertemplate": "%{y} to %{x}: %{z:,} messages<extra></extra>",
    }  # fmt: skip
    layout: JsonObject = {"height": 340, "yaxis": {"type": "category", "autorange": "reversed"},
                          "xaxis": {"type": "category"}}  # fmt: skip
    return View(name="From whom to whom", traces=(trace,), y_title="from", x_title="to", layout=layout)


SECTION = Section(
    key="federation",
    title="Federation",
    figures=(
        Figure(
            key="coupling",
            title="Agreement of transmission and distribution",
            sees="Greatest residual of the T-D fixed point at the end of a physical step (logarithmic):"
            " change of an LDA's bus voltage in the last pass, and head power less carried power; and how"
            " many passes it took. A gap is an exact zero.",
            needs=("system",),
            draw=_coupling,
        ),
        Figure(
            key="timing",
            title="Where the time went",
            sees="Wall-clock seconds that each federate computed, and waited for the others.",
            needs=("timing",),
            draw=_timing,
        ),
        Figure(
            key="messages",
            title="Messages",
            sees="Every message of the federation, counted as the transport logged it: who spoke to whom, and"
            " about what. A message between aggregators and the ISO is one that passes the DSO by.",
            needs=("message",),
            draw=_messages,
        ),
    ),
)
