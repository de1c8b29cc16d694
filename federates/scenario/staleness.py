"""When an old message may stand for a missing one: only while an event of the study holds the link down."""

from __future__ import annotations

from federates.core.settings import LinkLoss, Study
from federates.core.time import SimTime


def held_by_link_loss(study: Study, sender: str, receiver: str, sent_s: SimTime, now: SimTime) -> bool:
    """Whether a link loss explains that nothing newer than ``sent_s`` has come by ``now``."""
    return any(
        isinstance(e, LinkLoss)
        and (e.sender, e.receiver) == (sender, receiver)
        and sent_s < e.at_s + e.duration_s
        and e.at_s <= now
        for e in study.events
    )
