"""How much of every kind one simulated feeder has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from federates.core.der_settings import DER_KINDS, DerMix, DerSettings
from federates.core.settings import DEFAULT_SUPPLIER
from federates.der.placement import Placement
from federates.der.seeds import Stream, generator
from federates.distribution.model import Feeder


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """Distributed resources and demand of one simulated feeder, as totals."""

    ders: DerMix = DerMix()
    """Settings of every kind."""
    load_scale: float = 1.0
    """Factor on the published loads."""
    evening_bump: float = 0.0
    """Extra demand around 19:30, as a share of the peak."""
    owner: Mapping[str, str] = field(default_factory=dict)
    """Aggregator by kind; the supplier of the kinds that are left out."""

    def of_kind(self, kind: str) -> DerSettings | None:
        """Settings of a kind."""
        settings: DerSettings | None = getattr(self.ders, kind)
        return settings

    def placement(self, kind: str, feeder: Feeder, seed_id: int) -> Placement:
        """A feeder as a place for a kind."""
        return Placement(
            feeder=feeder,
            load_scale=self.load_scale,
            seed_id=seed_id,
            kind=kind,
            owner=self.owner.get(kind, DEFAULT_SUPPLIER),
        )


def jittered(mix: Mix, jitter: float, seed_id: int) -> Mix:
    """Mix whose sizes each differ by up to ``jitter`` either way, drawn on ``seed_id``."""
    factors = 1.0 + jitter * generator(seed_id, Stream.JITTER).uniform(-1.0, 1.0, len(DER_KINDS))
    scaled = {
        kind: settings.scaled(float(factor))
        for kind, factor in zip(DER_KINDS, factors, strict=True)
        if (settings := mix.of_kind(kind)) is not None
    }
    return replace(mix, ders=mix.ders.model_copy(update=scaled))
