"""The fleet of a feeder whose user states every DER in a table: each row built by its kind's own model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from federates.core.der_settings import FlexibleSettings
from federates.core.settings import DEFAULT_SUPPLIER
from federates.der.catalog import DER_MODELS
from federates.der.fleet import Fleet, joined
from federates.der.flexible import FlexibleLoad
from federates.der.placement import Placement
from federates.der.seeds import Stream
from federates.distribution.der_table import TabledDer
from federates.distribution.model import Feeder

_MODELS = {model.kind: model for model in DER_MODELS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Site(Placement):
    """The one place at which a row's device stands, whatever its model would draw."""

    row: TabledDer
    load: int
    """Load at its bus; -1 where there is none."""
    rank: int
    """Place among its feeder's devices of its kind."""

    def clusters(self) -> tuple[IntArray, FloatArray]:
        """The place, with all of the power."""
        return np.zeros(1, dtype=np.int64), np.ones(1)

    def drawn(self, count: int, stream: Stream, far_weight: float = 1.0) -> IntArray:
        """The place, ``count`` times."""
        del stream, far_weight
        return np.zeros(count, dtype=np.int64)

    def devices(self, place: IntArray, power_kw: FloatArray, *, s_kva: FloatArray | None = None) -> Fleet:
        """The device, of the row's rating."""
        del s_kva
        n = place.size
        loads = np.full(n, self.load, dtype=np.int64)
        plain = Placement.devices(self, np.maximum(loads, 0), power_kw)
        return replace(
            plain,
            ids=(self.row.name,) * n,
            bus=(self.row.bus,) * n,
            phases=(self.row.phases,) * n,
            load=loads,
            node=np.where(loads < 0, -1, plain.node),
            s_kva=np.full(n, self.row.s_kva),
            rank=np.full(n, self.rank, dtype=np.int64),
            customer=(self.row.owner,) * n,
        )


def attached_fleet(feeder: Feeder, rows: Sequence[TabledDer], mix: Fleet, seed_id: int) -> Fleet:
    """Devices of a table, in its order.

    Parameters
    ----------
    feeder
        At which they stand; ``load`` and ``node`` are -1 where no load stands at a device's bus.
    rows
        At least one.
    mix
        Devices of the feeder that no table names; ranks go on from theirs.
    """
    at_bus: dict[str, int] = {}
    for k, load in enumerate(feeder.loads):
        at_bus.setdefault(load.bus, k)
    ranks = {kind: int(mix.of_kind(kind).sum()) for kind in _MODELS}
    parts = []
    for row in rows:
        site = Site(
            feeder=feeder,
            load_scale=1.0,
            seed_id=seed_id,
            kind=row.kind,
            owner=row.aggregator or DEFAULT_SUPPLIER,
            row=row,
            load=at_bus.get(row.bus, -1),
            rank=ranks[row.kind],
        )
        ranks[row.kind] += 1
        parts.append(_built(site))
    return joined(parts)


def _built(site: Site) -> Fleet:
    """Device of a row; a flexible load is of its own, not a part of the loads that are there."""
    row = site.row
    if isinstance(row.settings, FlexibleSettings):
        here = np.zeros(1, dtype=np.int64)
        return FlexibleLoad().of_power(row.settings, site, here, np.array([row.power_kw]))
    return _MODELS[row.kind].build(row.settings, site)
