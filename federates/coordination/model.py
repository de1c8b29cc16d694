"""What a coordination model is: a record of wiring and roles; nothing in it computes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from federates.core.wiring import PHYSICAL_LINKS, Link


class Tier(Enum):
    """Who takes the aggregators' offers."""

    NOBODY = "nobody"
    DSO = "dso"
    ISO = "iso"


@dataclass(frozen=True, slots=True, kw_only=True)
class CoordinationModel:
    """One way to coordinate DERs."""

    key: str
    """Name in a study."""
    code: str
    """Short name in tables: M0, M1, ..."""
    title: str
    """One line for people."""
    links: tuple[Link, ...]
    """Coordination links; the physical ones are every model's."""
    offers_to: Tier
    """Who takes the aggregators' offers."""
    dso_role: str
    """Key of the DSO's role."""
    aggregator_role: str
    """Key of the aggregators' role."""
    products: tuple[str, ...]
    """What the ISO clears."""
    arbitration: str
    """Whose word counts for a DER's set-point."""

    @property
    def all_links(self) -> tuple[Link, ...]:
        """Physical and coordination links."""
        return PHYSICAL_LINKS + self.links

    def feeds(self, kind: str, port: str) -> bool:
        """Whether something is wired to a port of a kind."""
        return any((link.to_kind, link.into) == (kind, port) for link in self.all_links)


DSO_INTERFACE = (
    Link("dso", "bids", "iso", "bids"),
    Link("dso", "day_ahead_bids", "iso", "day_ahead_bids"),
    Link("iso", "awards", "dso", "awards"),
    Link("iso", "day_ahead_awards", "dso", "day_ahead_awards"),
    Link("iso", "advice", "dso", "advised"),
)
"""The T-D interface: one bid up, one award down."""
