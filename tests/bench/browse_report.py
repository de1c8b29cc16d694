"""Opens a report in headless Chromium from its file and looks at it: every figure drawn, nothing fetched.

    python -m tests.bench.browse_report RUN/report.html [--shots FOLDER]

Scrolls through the page on a wide and on a narrow window, presses every button and chooses every view,
saves the data of each figure and a picture, and ends with code 1 if the console said anything, if anything
but the page itself was asked for, if a figure was not drawn, or if the page is wider than its window.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.chromium import Browser, BrowserStuckError, program

WINDOWS = {"wide": (1_400, 900), "narrow": (420, 800)}
SHOT_PX = 1_800
"""Height of a picture of the page."""
SAVED_WITHIN_S = 15.0
STARTS_LIMIT = 3
"""Browsers started before one that does not answer is taken for what it is."""
SPOKEN = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")

_PAUSE = "const pause = (ms) => new Promise((done) => setTimeout(done, ms));"
_SCROLL = """(async () => { PAUSE
  const places = [...document.querySelectorAll("[data-plot]")];
  for (const place of places) {
    place.scrollIntoView({ block: "center", behavior: "instant" });
    for (let k = 0; k < 200 && place.dataset.state !== "drawn"; k++) await pause(25);
  }
  await pause(200);
  const marks = ".scatterlayer path, .heatmaplayer image, .barlayer path, .waterfalllayer path";
  return JSON.stringify({
    figures: places.length,
    undrawn: places.filter((p) => p.dataset.state !== "drawn").map((p) => p.id),
    empty: places.filter((p) => !p.querySelector(marks)).map((p) => p.id),
    width: document.documentElement.scrollWidth, height: document.documentElement.scrollHeight,
  });
})()""".replace("PAUSE", _PAUSE)
_PRESS = """(async () => { PAUSE
  let count = 0;
  for (const button of document.querySelectorAll("button[data-view]")) {
    button.click(); count++; await pause(30);
  }
  for (const list of document.querySelectorAll("select[data-of]")) for (const option of list.options) {
    list.value = option.value;
    list.dispatchEvent(new Event("change", { bubbles: true })); count++; await pause(30);
  }
  await pause(500);
  const failed = [...document.querySelectorAll("[data-state]:not([data-state=drawn])")].map((p) => p.id);
  return JSON.stringify({ count, failed });
})()""".replace("PAUSE", _PAUSE)
_SAVE = """(async () => { PAUSE
  const saving = [...document.querySelectorAll("button[data-of]:not([data-view])")];
  for (const button of saving) { button.click(); await pause(120); }
  document.querySelector('[data-plot] .modebar-btn').click();
  return JSON.stringify({ count: saving.length });
})()""".replace("PAUSE", _PAUSE)


@dataclass(slots=True)
class Seen:
    """What was seen of a report."""

    faults: list[str] = field(default_factory=list)
    figures: int = 0
    views: int = 0
    saved: int = 0


def heard(report: Path) -> list[str]:
    """What the console says, and what is asked for, when a report is opened."""

    def listen(page: Browser) -> list[str]:
        page.open(report)
        return _said(page, report)

    return _in_browser(listen)


def look(report: Path, saved: Path, *, pictures: bool = True) -> Seen:
    """Open a report on both windows and take note of what is wrong with it.

    Parameters
    ----------
    saved
        Folder for what the page's buttons save, and for pictures of it.
    pictures
        Whether to take them: a page without a screen may keep its browser busy for minutes over one.
    """
    saved.mkdir(parents=True, exist_ok=True)
    seen = Seen()
    for name, size in WINDOWS.items():
        found = _in_browser(
            lambda page, name=name, size=size: _look_once(page, report, saved, name, size, seen, pictures)
        )
        seen.faults += [f"{name}: {fault}" for fault in found]
    return seen


def _in_browser(look_at: Callable[[Browser], list[str]]) -> list[str]:
    """What is found with a browser of its own; one that gets stuck is started again."""
    path = program()
    if path is None:
        raise FileNotFoundError("no Chromium is installed")
    for start in range(STARTS_LIMIT):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
            page: Browser | None = None
            try:
                page = Browser(path, Path(profile))
                return look_at(page)
            except BrowserStuckError:
                if start + 1 == STARTS_LIMIT:
                    raise
            finally:
                if page is not None:
                    page.close()
    raise AssertionError("no start is left")


def _look_once(
    page: Browser, report: Path, shots: Path, name: str, size: tuple[int, int], seen: Seen, pictures: bool
) -> list[str]:
    page(
        "Emulation.setDeviceMetricsOverride", width=size[0], height=size[1], deviceScaleFactor=1, mobile=False
    )
    page("Page.setDownloadBehavior", behavior="allow", downloadPath=str(shots.resolve()))
    page.open(report)
    if pictures:
        _shoot(page, shots / f"{name}-first.png", size)
    found = page.value(_SCROLL)
    seen.figures = _int(found["figures"])
    faults = [f"{found[kind]} {kind}" for kind in ("undrawn", "empty") if found[kind]]
    if _int(found["width"]) > size[0]:
        faults.append(f"the page is {found['width']} px wide in a window of {size[0]} px")
    height = _int(found["height"])
    for k, top in enumerate(range(0, height, SHOT_PX) if pictures else ()):
        _shoot(page, shots / f"{name}-{k:02d}.png", (size[0], min(SHOT_PX, height - top)), top)
    pressed = page.value(_PRESS)
    seen.views = _int(pressed["count"])
    if pressed["failed"]:
        faults.append(f"{pressed['failed']} failed on another view")
    if name == "wide":
        faults += _saved(page, shots, seen)
    return faults + _said(page, report)


def _saved(page: Browser, shots: Path, seen: Seen) -> list[str]:
    """Save the data of every figure and the picture of one."""
    count = _int(page.value(_SAVE)["count"])
    until = time.monotonic() + SAVED_WITHIN_S
    while time.monotonic() < until and len([*shots.glob("*.csv"), *shots.glob("*.svg")]) <= count:
        page.value("JSON.stringify({})")
        time.sleep(0.1)
    seen.saved = len(list(shots.glob("*.csv")))
    faults = [] if seen.saved == count else [f"{seen.saved} of {count} figures gave their data"]
    return faults if list(shots.glob("*.svg")) else [*faults, "a figure did not give its picture"]


def _shoot(page: Browser, path: Path, size: tuple[int, int], top: int = 0) -> None:
    clip = {"x": 0, "y": top, "width": size[0], "height": size[1], "scale": 1}
    shot = page("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
    path.write_bytes(base64.b64decode(str(shot["data"])))


def _said(page: Browser, report: Path) -> list[str]:
    """Words on the console, and requests for anything but the page and its own data."""
    own = (report.resolve().as_uri(), "data:", "blob:")
    said = []
    for event in page.events:
        params = event.get("params", {})
        assert isinstance(params, dict)
        if event.get("method") in SPOKEN:
            said.append(f"console: {json.dumps(params)[:600]}")
        elif event.get("method") == "Network.requestWillBeSent":
            url = str(params["request"]["url"])
            said += [] if url.startswith(own) else [f"asked for {url}"]
    return said


def _int(value: object) -> int:
    assert isinstance(value, int)
    return value


def main() -> int:
    """Look at a report and say what was seen."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("report", type=Path)
    arguments.add_argument("--shots", type=Path, default=Path("shots"))
    given = arguments.parse_args()
    seen = look(given.report, given.shots)
    print(f"{seen.figures} figures, {seen.views} views, {seen.saved} saved; pictures in {given.shots}")
    for fault in seen.faults:
        print(f"FAULT {fault}")
    return 1 if seen.faults else 0


if __name__ == "__main__":
    sys.exit(main())
