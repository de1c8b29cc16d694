"""What a coordination model is: a record of wiring and roles; nothing in it computes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from federates.coordination.contract import Contract
from federates.core.errors import WiringError
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
    contract: Contract | None = None
    """White list of what may cross the T-D interface; None: whatever is wired."""

    def __post_init__(self) -> None:
        """Refuse what the contract does not list.

        Raises
        ------
        WiringError
            If a link brings an unlisted kind of message over the T-D interface, or one with unlisted fields.
        """
        faults = [] if self.contract is None else self.contract.faults(self.all_links)
        if faults:
            remedy = "wire it inside the area, or put it on the list in federates/coordination/contract.py"
            raise WiringError(f"{self.key} breaks its T-D contract: {'; '.join(faults)}; {remedy}")

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
