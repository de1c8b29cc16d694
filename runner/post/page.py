"""One HTML page that fetches nothing: elements, data, scripts and styles, each script named by its hash."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path

from runner.post.figures.drawing import Json

ASSETS = Path(__file__).with_name("assets")
_VOID = frozenset({"meta", "br", "hr"})


class Html(str):
    """Mark-up; any other text is escaped when it becomes part of an element."""

    __slots__ = ()


def element(name: str, /, *content: str, **attributes: str) -> Html:
    """An element; a final ``_`` of an attribute's name is dropped and ``_`` inside it becomes ``-``."""
    named = (
        f' {key.rstrip("_").replace("_", "-")}="{escape(value, quote=True)}"'
        for key, value in attributes.items()
    )
    opened = f"<{name}{''.join(named)}>"
    return Html(opened if name in _VOID else f"{opened}{joined(content)}</{name}>")


def joined(content: Iterable[str]) -> Html:
    """Parts one after the other, text escaped."""
    return Html("".join(part if isinstance(part, Html) else escape(part, quote=False) for part in content))


def table(heads: Iterable[str], rows: Iterable[Iterable[str]], numbers: Iterable[int] = ()) -> Html:
    """A table that scrolls sideways where it must; ``numbers``: columns set to the right."""
    right = frozenset(numbers)

    def cells(kind: str, row: Iterable[str]) -> Html:
        return element(
            "tr",
            *(
                element(kind, cell, class_="n") if k in right else element(kind, cell)
                for k, cell in enumerate(row)
            ),
        )

    body = element("tbody", *(cells("td", row) for row in rows))
    return element(
        "div", element("table", element("thead", cells("th", heads)), body), class_="scroll"
    )  # fmt: skip


def origin(*tables: str) -> Html:
    """Line that names the tables of a run from which something was taken."""
    named = [element("code", f"tables/{name}") for name in tables]
    listed = [part for name in named for part in (", ", name)][1:]
    return element("p", element("span", "from ", *listed), class_="source")


def document(title: str, body: Html, data: Mapping[str, Json], plotly_js: str) -> str:
    """The whole page.

    Parameters
    ----------
    title
        Title of the window.
    body
        What is read without scripts.
    data
        What scripts draw, by the id of its element.
    plotly_js
        Plotly's own script.

    Returns
    -------
    str
        A page whose Content-Security-Policy lets it fetch nothing, and run no script and apply no style but
        its own.
    """
    style = _asset("report.css")
    scripts = [_asset("styles.js"), _inert(plotly_js), _asset("report.js")]
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join(map(hash_source, scripts))}",
            # plotly makes empty style elements and fills them rule by rule
            f"style-src {hash_source(style)} {hash_source('')}",
            # heat maps are drawn on a canvas and shown as data
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", title),
        Html(f"<style>{style}</style>"),
    )
    parts = [
        Html(f'<script type="application/json" id="{escape(key)}">{_json(value)}</script>\n')
        for key, value in data.items()
    ]
    run = [Html(f"<script>{script}</script>\n") for script in scripts]
    return f'<!doctype html>\n<html lang="en">\n{head}\n{element("body", body, *parts, *run)}\n</html>\n'


def hash_source(text: str) -> str:
    """Source expression of a script or style in a Content-Security-Policy."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def _json(value: Json) -> str:
    """JSON that cannot end the element that holds it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")


def _inert(script: str) -> str:
    """A script that cannot end its own element, with line ends as a parser hands them on."""
    return script.replace("\r\n", "\n").replace("\r", "\n").replace("</script", "<\\/script")
