"""What a run shows while it goes on."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from runner.progress import (
    MAX_ROWS,
    Lines,
    LiveTable,
    Pace,
    Silence,
    display,
    headline,
    hms,
    render,
    share_done,
)
from runner.supervise import Progress


def at(study_s: int, **states: str) -> Progress:
    return Progress(study_s=study_s, begin_s=-2_400, end_s=3_600, states=states or {"iso": "computing"})


def console(**options: object) -> Console:
    return Console(file=io.StringIO(), width=100, **options)  # type: ignore[arg-type]


def written(to: Console) -> str:
    assert isinstance(to.file, io.StringIO)
    return to.file.getvalue()


@pytest.mark.parametrize(
    ("study_s", "share"), [(-2_400, 0.0), (600, 0.5), (3_600, 1.0), (9_000, 1.0), (-9_000, 0.0)]
)
def test_the_share_done_counts_the_lead_in(study_s: int, share: float) -> None:
    assert share_done(at(study_s)) == share


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00:00"), (3_599.6, "1:00:00"), (90_061, "25:01:01"), (-2_400, "-0:40:00")]
)
def test_durations_are_readable(seconds: float, text: str) -> None:
    assert hms(seconds) == text


def test_the_pace_is_that_of_the_last_seconds() -> None:
    pace = Pace()
    pace.note(0.0, 0)
    assert pace.speed is None
    assert pace.left_s(1_000) is None
    for k in range(1, 40):
        pace.note(float(k), 10 * k if k <= 20 else 200 + 100 * (k - 20))
    assert pace.speed == pytest.approx(100.0)
    assert pace.left_s(3_100) == pytest.approx(10.0)


def test_a_run_that_stands_still_keeps_its_last_pace() -> None:
    pace = Pace()
    pace.note(0.0, 0)
    pace.note(1.0, 50)
    pace.note(9.0, 50)
    assert pace.speed == pytest.approx(50.0)


def test_the_headline_tells_time_share_speed_and_time_left() -> None:
    pace = Pace()
    pace.note(0.0, 0)
    pace.note(2.0, 600)
    assert headline(at(600), pace) == "study 0:10:00 of 1:00:00    50 %   300x real time   0:00:10 left"


def test_without_a_terminal_there_is_one_line_a_second() -> None:
    to = console()
    with Lines(to) as lines:
        for k in range(100):
            lines.show(at(k, iso="waiting", feeder_lda1="computing"))
    (line,) = written(to).splitlines()
    assert line.startswith("study 0:00:00 of 1:00:00")
    assert line.endswith("feeder_lda1 computing")
    assert "\x1b" not in line


def test_the_table_names_every_federate_and_its_state() -> None:
    to = console()
    to.print(render(at(600, iso="computing", dso_lda1="waiting"), Pace()))
    text = written(to)
    assert "iso" in text
    assert "computing" in text
    assert "dso_lda1" in text
    assert "waiting" in text


def test_a_large_federation_fits_on_the_screen() -> None:
    states = {f"agg_{k}": "waiting" if k % 2 else "computing" for k in range(200)}
    to = console()
    to.print(render(at(0, **states), Pace()))
    text = written(to)
    assert len(text.splitlines()) <= MAX_ROWS + 2
    assert f"and {200 - MAX_ROWS} more" in text
    assert "88 computing, 88 waiting" in text


def test_no_colour_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    def shown() -> str:
        to = console(force_terminal=True)
        to.print(render(at(0), Pace()))
        return written(to)

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[1;36m" in shown()
    monkeypatch.setenv("NO_COLOR", "1")
    assert "36m" not in shown()


def test_the_display_fits_where_standard_error_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(display(silent=True), Silence)
    assert isinstance(display(silent=False), Lines)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(display(silent=False), LiveTable)
