"""A figure on a page: its words, its views, the place where it is drawn and the data for the drawing."""

from __future__ import annotations

from collections.abc import Iterable

from runner.post.figures.drawing import Json, View
from runner.post.page import Html, element

BUTTONS_MOST = 6
"""Views beyond which they are a list, not buttons."""
Data = dict[str, Json]
"""What scripts draw, by the id of its element."""


def figure(
    key: str, title: str, sees: str, views: tuple[View, ...], *, file: str, tables: Iterable[str], data: Data
) -> Html:
    """A figure; what it is drawn from goes to ``data``.

    Parameters
    ----------
    key
        Stable name, the anchor on the page.
    title, sees
        Heading, and what is seen.
    views
        Its pictures, of which there is one at least.
    file
        Name of the files that its buttons save.
    tables
        Tables that it is taken from; none: its words say from what.
    """
    names = _codes(tuple(tables))
    origin = (element("span", "from ", *names),) if names else ()
    data[f"data-{key}"] = {"file": file, "views": [_view(view) for view in views]}
    return element(
        "article",
        element("h3", title),
        element("p", sees, class_="sees"),
        _chooser(key, title, views),
        element("div", class_="plot", id=f"plot-{key}", data_plot=key),
        element(
            "p",
            element("button", "Data as CSV", type="button", data_of=key),
            *origin,
            class_="source",
        ),
        class_="figure",
        id=key,
    )


def _codes(names: tuple[str, ...]) -> list[Html]:
    parts = []
    for k, name in enumerate(names):
        parts += [Html(", ")] if k else []
        parts.append(element("code", f"tables/{name}"))
    return parts


def _view(view: View) -> Json:
    return {
        "name": view.name,
        "traces": view.traces,
        "layout": view.layout,
        "y_title": view.y_title,
        "x_title": view.x_title,
        "panes": view.panes,
    }


def _chooser(key: str, title: str, views: tuple[View, ...]) -> Html:
    """Buttons for few views, a list for many, nothing for one."""
    if len(views) == 1:
        return Html()
    if len(views) > BUTTONS_MOST:
        options = (element("option", view.name, value=str(k)) for k, view in enumerate(views))
        chooser = element("select", *options, data_of=key, aria_label=f"View of: {title}")
        return element("div", chooser, class_="views")
    buttons = (
        element(
            "button", view.name, type="button", data_of=key, data_view=str(k),
            aria_pressed="true" if k == 0 else "false",
        )
        for k, view in enumerate(views)
    )  # fmt: skip
    return element("div", *buttons, class_="views")
