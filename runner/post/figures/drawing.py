"""What a figure is: its words, the tables that it needs, and traces that plotly draws."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, Union

from runner.post.run_tables import RunTables

Json: TypeAlias = Union[bool, int, float, str, Sequence["Json"], Mapping[str, "Json"], None]  # noqa: UP007 - names itself
"""What JSON can say."""
JsonObject: TypeAlias = Mapping[str, Json]
"""A trace, a layout, or a part of one, in plotly's own terms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One picture; a reader chooses among the views of a figure."""

    name: str
    """What the reader chooses."""
    traces: tuple[JsonObject, ...]
    """Traces in plotly's terms."""
    y_title: str
    """What the vertical axis shows, with its unit."""
    x_title: str = ""
    """What the horizontal axis shows; empty for local standard time."""
    layout: JsonObject = field(default_factory=dict)
    """What else plotly needs."""
    panes: tuple[str, ...] = ()
    """Headings of pictures side by side, below each other on a narrow window; a trace says its ``pane``,
    a number from 0. None: one picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure of a report."""

    key: str
    """Stable name, the anchor on the page."""
    title: str
    """Heading."""
    sees: str
    """One or two sentences: what is seen and how it is computed."""
    needs: tuple[str, ...]
    """Tables without which there is nothing to show."""
    draw: Callable[[RunTables], tuple[View, ...]]
    """Its views; none where the tables hold nothing of the kind."""
    also: tuple[str, ...] = ()
    """Tables that it shows besides, where they were recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Figures of one theme."""

    key: str
    """Stable name, the anchor on the page."""
    title: str
    """Heading."""
    figures: tuple[Figure, ...]
    """Figures in their order."""
