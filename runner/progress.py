"""How a run is shown while it goes on: a live table on a terminal, one line a second elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from runner.supervise import Progress

LINE_EVERY_S = 1.0
FRAMES_PER_S = 4
MAX_ROWS = 24
_STYLES = {
    "computing": "bold cyan",
    "waiting": "dim",
    "done": "green",
    "joining": "yellow",
    "building": "yellow",
    "absent": "yellow",
}


def share_done(progress: Progress) -> float:
    """Part of the way that is done, 0 to 1."""
    whole_s = max(progress.end_s - progress.begin_s, 1)
    return min(max((progress.study_s - progress.begin_s) / whole_s, 0.0), 1.0)


class Display(Protocol):
    """Something that shows progress; a context manager."""

    def show(self, progress: Progress) -> None:
        """Show how the run stands now."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Pace:
    """Speed of a run and the time it has left, from the last quarter of a minute or so."""

    WINDOW_S = 15.0

    def __init__(self) -> None:
        self._seen: list[tuple[float, int]] = []

    def note(self, now_s: float, study_s: int) -> None:
        """Take note of the study time reached at a wall time."""
        if not self._seen or study_s > self._seen[-1][1]:
            self._seen.append((now_s, study_s))
        while len(self._seen) > 2 and now_s - self._seen[1][0] > self.WINDOW_S:
            del self._seen[0]

    @property
    def speed(self) -> float | None:
        """Study seconds per second of wall time; None before it can be told."""
        if len(self._seen) < 2:
            return None
        (t0, s0), (t1, s1) = self._seen[0], self._seen[-1]
        return (s1 - s0) / (t1 - t0) if t1 > t0 else None

    def left_s(self, end_s: int) -> float | None:
        """Wall time until the study's end; None before it can be told. [s]"""
        speed = self.speed
        return (end_s - self._seen[-1][1]) / speed if speed else None


def hms(seconds: float) -> str:
    """Duration as ``h:mm:ss``, with a sign in the lead-in."""
    sign = "-" if seconds < 0 else ""
    minutes, second = divmod(abs(round(seconds)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{sign}{hours}:{minute:02}:{second:02}"


def headline(progress: Progress, pace: Pace) -> str:
    """Study time, share, speed and time left in one line."""
    speed, left = pace.speed, pace.left_s(progress.end_s)
    parts = [
        f"study {hms(progress.study_s)} of {hms(progress.end_s)}",
        f"{100 * share_done(progress):3.0f} %",
    ]
    if speed is not None:
        parts.append(f"{speed:.0f}x real time")
    if left is not None:
        parts.append(f"{hms(left)} left")
    return "   ".join(parts)


class Lines:
    """One line a second."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._pace = Pace()
        self._next_s = 0.0

    def show(self, progress: Progress) -> None:
        """Write a line if the last one is a second old."""
        now = time.monotonic()
        self._pace.note(now, progress.study_s)
        if now < self._next_s:
            return
        self._next_s = now + LINE_EVERY_S
        busy = [name for name, state in progress.states.items() if state == "computing"]
        who = f"   {', '.join(busy[:3])} computing" if busy else ""
        self._console.print(
            headline(progress, self._pace) + who, soft_wrap=True, highlight=False, markup=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class LiveTable:
    """A table of the federates that renews itself in place."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=FRAMES_PER_S, transient=True)
        self._pace = Pace()

    def show(self, progress: Progress) -> None:
        """Renew the table."""
        self._pace.note(time.monotonic(), progress.study_s)
        self._live.update(render(progress, self._pace))

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)


def render(progress: Progress, pace: Pace) -> Table:
    """The table of one moment."""
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column()
    table.add_row(headline(progress, pace), ProgressBar(total=1.0, completed=share_done(progress), width=30))
    rows = list(progress.states.items())
    for name, state in rows[:MAX_ROWS]:
        table.add_row(Text(f"  {name}"), Text(state, style=_STYLES.get(state, "")))
    hidden = Counter(state for _, state in rows[MAX_ROWS:])
    if hidden:
        rest = ", ".join(f"{count} {state}" for state, count in sorted(hidden.items()))
        table.add_row(Text(f"  and {hidden.total()} more"), Text(rest))
    return table


class Board:
    """How far several runs have come, one line every other second; ``silent``: nothing."""

    EVERY_S = 2.0

    def __init__(self, *, silent: bool) -> None:
        self._console = Console(stderr=True, quiet=silent)
        self._begun_s = time.monotonic()
        self._next_s = 0.0

    def say(self, text: str) -> None:
        """Write a line."""
        self._console.print(text, soft_wrap=True, highlight=False, markup=False)

    def show(self, shares: Mapping[str, float]) -> None:
        """Write how far each run has come, 0 to 1, and the time left if all goes on alike."""
        now_s = time.monotonic()
        if now_s < self._next_s:
            return
        if self._next_s == 0.0:
            self._begun_s = now_s
        self._next_s = now_s + self.EVERY_S
        self.say(standing(shares, now_s - self._begun_s))


def standing(shares: Mapping[str, float], spent_s: float) -> str:
    """How far each run has come, and the time left, in one line."""
    parts = [f"{code} {100 * share:3.0f} %" for code, share in sorted(shares.items())]
    done = sum(shares.values()) / len(shares)
    if 0.0 < done < 1.0 and spent_s > 0.0:
        parts.append(f"{hms(spent_s * (1.0 - done) / done)} left")
    return "   ".join(parts)


class Silence:
    """Shows nothing."""

    def show(self, progress: Progress) -> None:
        """Show nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


def display(*, silent: bool) -> Display:
    """The display that fits where standard error goes."""
    if silent:
        return Silence()
    console = Console(stderr=True)
    return LiveTable(console) if console.is_terminal and not console.is_dumb_terminal else Lines(console)
