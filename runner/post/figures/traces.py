"""Traces in plotly's terms: lines, bands, areas, bars and heat maps on a grid of time."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

import numpy as np

from federates.core.arrays import FloatArray
from runner.post.figures.drawing import Json, JsonObject
from runner.post.figures.grid import Grid, clock_text
from runner.post.run_tables import RunTables

DIGITS = 5
"""Significant digits that a figure keeps."""
INK = "#1d2733"
BLUE = "#0072b2"
ORANGE = "#e69f00"
SKY = "#56b4e9"
GREEN = "#009e73"
YELLOW = "#f0e442"
VERMILLION = "#d55e00"
PURPLE = "#cc79a7"
GREY = "#8a94a0"
CYCLE = (BLUE, ORANGE, GREEN, PURPLE, VERMILLION, SKY, "#7a5c00", "#4b3f8f", "#7f7f7f", YELLOW)
"""Colours that stay apart for colour-blind readers (Okabe and Ito, 2008), and three more."""
_RDBU = (
    "#2166ac", "#4393c3", "#92c5de", "#d1e5f0", "#f7f7f7", "#fddbc7", "#f4a582", "#d6604d", "#b2182b",
)  # fmt: skip
RDBU: Json = [[k / (len(_RDBU) - 1), color] for k, color in enumerate(_RDBU)]
"""Blue below zero, white at it, red above: RdBu of Harrower and Brewer (2003), from its other end."""
MS_PER_S = 1_000


def line(
    tables: RunTables,
    grid: Grid,
    name: str,
    y: FloatArray,
    color: str,
    *,
    width: float = 1.8,
    dash: str = "solid",
    steps: bool = False,
    fill: str | None = None,
    fill_color: str | None = None,
    hidden_name: bool = False,
) -> JsonObject:
    """A line over time, shape of ``y`` (grid.count,); ``steps``: constant within each cell."""
    trace: dict[str, Json] = {
        "type": "scatter",
        "mode": "lines",
        "name": safe(name),
        **_times(tables, grid),
        "y": short(y),
        "line": {"color": color, "width": width, "dash": dash, "shape": "hv" if steps else "linear"},
    }
    if fill is not None:
        trace |= {"fill": fill, "fillcolor": fill_color or faint(color)}
    if hidden_name:
        trace["showlegend"] = False
    return trace


def band(
    tables: RunTables,
    grid: Grid,
    name: str,
    low: FloatArray,
    high: FloatArray,
    color: str,
    *,
    opacity: float = 0.2,
    steps: bool = False,
) -> tuple[JsonObject, JsonObject]:
    """What lies between two lines over time."""
    bare = line(tables, grid, f"{name}, least", low, color, width=0, steps=steps, hidden_name=True)
    top = line(
        tables, grid, f"{name}, greatest", high, color,
        width=0, steps=steps, fill="tonexty", fill_color=faint(color, opacity), hidden_name=True,
    )  # fmt: skip
    return bare, {**top, "showlegend": True, "name": safe(name)}


def area(tables: RunTables, grid: Grid, name: str, y: FloatArray, color: str) -> JsonObject:
    """One layer of a stack over time."""
    return {
        **line(tables, grid, name, y, color, width=0.5, steps=True),
        "stackgroup": "stack",
        "fillcolor": faint(color, 0.85),
    }


def heat(
    tables: RunTables,
    grid: Grid,
    rows: Sequence[str],
    z: FloatArray,
    unit: str,
    *,
    signed: bool = False,
    least: float | None = None,
    greatest: float | None = None,
) -> JsonObject:
    """A heat map, shape of ``z`` (rows, grid.count); colours end at the 1st and 99th percentile."""
    low, high = colour_ends(z, signed=signed)
    return {
        "type": "heatmap",
        **_times(tables, grid),
        "y": [safe(name) for name in rows],
        "z": [short(values) for values in z],
        "zmin": low if least is None else least,
        "zmax": high if greatest is None else greatest,
        "colorscale": RDBU if signed else "Cividis",
        "hoverongaps": False,
        "colorbar": {"title": {"text": unit, "side": "right"}, "thickness": 12, "outlinewidth": 0},
        "hovertemplate": f"%{{y}}, %{{x}}<br>%{{z}} {unit}<extra></extra>",
    }


def flags(tables: RunTables, grid: Grid, row: str, raised: FloatArray) -> JsonObject:
    """Marks in a row of their own above a heat map, in the cells where ``raised``, (cells,), is not 0."""
    middle = [int(grid.begin_s + (k + 0.5) * grid.cell_s) for k in np.flatnonzero(np.nan_to_num(raised))]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": safe(row),
        "x": [clock_text(tables, t) for t in middle],
        "y": [safe(row)] * len(middle),
        "marker": {"color": VERMILLION, "symbol": "diamond", "size": 7},
        "showlegend": False,
        "hovertemplate": "%{y}, %{x}<extra></extra>",
    }


def bars(
    name: str, rows: Sequence[str], x: FloatArray | Sequence[float], color: str, unit: str
) -> JsonObject:
    """Horizontal bars, one a row."""
    return {
        "type": "bar",
        "orientation": "h",
        "name": safe(name),
        "y": [safe(row) for row in rows],
        "x": short(np.asarray(x, np.float64)),
        "marker": {"color": color},
        "hovertemplate": f"%{{y}}: %{{x}} {unit}<extra></extra>",
    }


def level(y: float, text: str, color: str, *, above: bool) -> tuple[JsonObject, JsonObject]:
    """A dashed horizontal line over the whole figure, and the words beside it."""
    shape: JsonObject = {
        "type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": y, "y1": y,
        "line": {"color": color, "width": 1.2, "dash": "dash"},
    }  # fmt: skip
    note: JsonObject = {
        "xref": "paper", "x": 1, "y": y, "text": text, "showarrow": False, "xanchor": "right",
        "yanchor": "bottom" if above else "top", "font": {"size": 11, "color": INK},
    }  # fmt: skip
    return shape, note


def faint(color: str, opacity: float = 0.25) -> str:
    """A colour that lets what lies behind it show through."""
    red, green, blue = (int(color[k : k + 2], 16) for k in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def short(values: Iterable[float]) -> list[Json]:
    """Numbers rounded to ``DIGITS`` significant digits; NaN becomes a gap."""
    return [_short(value) for value in map(float, values)]


def safe(text: str) -> str:
    """Text of a user's file as plotly shows it, with no mark-up of its own."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def in_order(names: Iterable[str]) -> list[str]:
    """Names with the numbers in them in numeric order."""
    return sorted(names, key=lambda name: [int(p) if p.isdigit() else p for p in re.split(r"(\d+)", name)])


def height(rows: int) -> JsonObject:
    """Layout that gives each row of a figure its room."""
    return {"height": int(min(900, max(190, 110 + 18 * rows)))}


def _short(value: float) -> Json:
    if not math.isfinite(value):
        return None
    rounded = float(f"{value:.{DIGITS}g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 1e15 else rounded


def _times(tables: RunTables, grid: Grid) -> dict[str, Json]:
    return {"x0": clock_text(tables, grid.begin_s), "dx": grid.cell_s * MS_PER_S}


def colour_ends(z: FloatArray, *, signed: bool) -> tuple[float, float]:
    """Values at which the colours of a heat map end."""
    known = z[np.isfinite(z)]
    if not known.size:
        return 0.0, 1.0
    if signed:
        end = float(np.percentile(np.abs(known), 99.0)) or float(np.abs(known).max()) or 1.0
        return -end, end
    low, high = np.percentile(known, (1.0, 99.0)).tolist()
    return (low, high) if high > low else (low, low + 1.0)
