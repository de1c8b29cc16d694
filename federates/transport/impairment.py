"""Loss of coordination messages, the same on every transport.

Loss is decided where a wire begins: a lost message never overwrites the one before it, so the receiver goes
on with the last that came through, however seldom it looks. Each draw hangs on (seed, wire, instant) alone:
chained and unchained runs, and both transports, lose the same messages.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from federates.core.settings import LinkLoss, Study
from federates.core.time import SimTime
from federates.core.wiring import Wire


@dataclass(frozen=True, slots=True, kw_only=True)
class LossWindow:
    """Messages of one federate to another are lost for a while."""

    sender: str
    receiver: str
    from_s: SimTime
    """First instant at which a message is lost. [s]"""
    until_s: SimTime
    """First instant at which messages come through again. [s]"""
    share: float = 1.0
    """Share of the messages that is lost."""


class Impairment:
    """What happens to messages on their way."""

    def __init__(self, windows: Iterable[LossWindow], seed: int) -> None:
        self._windows = tuple(windows)
        self._seed = seed

    def loses(self, wire: Wire, sent_s: SimTime) -> bool:
        """Whether a message sent on ``wire`` at ``sent_s`` is lost."""
        return any(
            w.from_s <= sent_s < w.until_s
            and (w.sender, w.receiver) == (wire.sender, wire.receiver)
            and self._draw(wire, sent_s) < w.share
            for w in self._windows
        )

    def _draw(self, wire: Wire, sent_s: SimTime) -> float:
        """Number in [0, 1) that hangs on the message alone."""
        digest = hashlib.blake2b(f"{self._seed} {wire.key} {sent_s}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "little") / 2**64


def loss_windows(study: Study) -> tuple[LossWindow, ...]:
    """Loss windows of a study's events."""
    return tuple(
        LossWindow(sender=e.sender, receiver=e.receiver, from_s=e.at_s, until_s=e.at_s + e.duration_s)
        for e in study.events
        if isinstance(e, LinkLoss)
    )
