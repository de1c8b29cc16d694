"""Feeder models and offers, joined to limits on the offered blocks of one interval."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array, vstack

from federates.core.arrays import FloatArray, IntArray
from federates.core.errors import CodecError
from federates.core.messages import DerOffers, FeederModel
from federates.iso.products.feeder_rows import FeederRows


def feeder_rows(
    models: Sequence[FeederModel],
    offers: Sequence[DerOffers],
    lda: Sequence[int],
    interval: int,
    *,
    excess_usd_per_mwh: float,
) -> FeederRows:
    """Limits on the blocks of one interval, all aggregators' blocks one after the other.

    Parameters
    ----------
    models
        One of each LDA.
    offers, lda
        Offers of each aggregator in wiring order, and the place of its LDA among the models.
    interval
        Interval of the models and offers.
    excess_usd_per_mwh
        Price of a MW beyond a limit.

    Raises
    ------
    CodecError
        If a model does not fit the offers or itself.
    """
    counts = [offer.floor_mw.size // offer.intervals for offer in offers]
    first = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    parts = []
    for place, model in enumerate(models):
        mine = [np.arange(a, a + n) for a, n, of in zip(first, counts, lda, strict=False) if of == place]
        column = np.concatenate([*mine, np.zeros(0, dtype=np.int64)])
        if column.size != model.ders:
            raise CodecError(
                f"feeder model {place} for {model.interval_s} s: rows on {model.ders} DERs, but "
                f"{column.size} are offered"
            )
        parts.append(_interval_rows(model, place, interval, column, int(first[-1])))
    matrix = csr_array(vstack([part[0] for part in parts], format="csr"))
    upper = np.concatenate([part[1] for part in parts])
    der, floor_mw = _blocks(offers, first, interval)
    gather = csr_array((np.ones(der.size), (der, np.arange(der.size))), shape=(floor_mw.size, der.size))
    return FeederRows(
        matrix=csr_array(matrix @ gather),
        lower=np.full(upper.size, -np.inf),
        upper=upper - matrix @ floor_mw,
        excess_usd_per_h=np.full(upper.size, excess_usd_per_mwh),
    )


def _blocks(offers: Sequence[DerOffers], first: IntArray, interval: int) -> tuple[IntArray, FloatArray]:
    """DER of each block of an interval, and every DER's floor [MW], numbered through all offers."""
    der = [a + o.der[o.interval == interval] for a, o in zip(first, offers, strict=False)]
    floor = [o.floor_mw.reshape(o.intervals, -1)[interval] for o in offers]
    return np.concatenate(der), np.concatenate(floor)


def _interval_rows(
    model: FeederModel, place: int, interval: int, column: IntArray, ders_count: int
) -> tuple[csr_array, FloatArray]:
    """One interval's rows on DERs numbered through all offers, and their right-hand sides. [MW]"""
    ends, entry_ends = np.cumsum(model.rows), np.concatenate(([0], np.cumsum(model.entries)))
    whole = (
        0 <= interval < ends.size
        and (model.rows >= 0).all()
        and (model.entries >= 0).all()
        and ends[-1] == model.entries.size == model.upper_mw.size
        and entry_ends[-1] == model.der.size == model.coefficient.size
        and (model.der >= 0).all()
        and (model.der < model.ders).all()
    )
    if not whole:
        raise CodecError(f"feeder model {place} for {model.interval_s} s: its rows and entries do not add up")
    begin, end = int(ends[interval] - model.rows[interval]), int(ends[interval])
    a, b = int(entry_ends[begin]), int(entry_ends[end])
    entries = (model.coefficient[a:b], column[model.der[a:b]], entry_ends[begin : end + 1] - a)
    return csr_array(entries, shape=(end - begin, ders_count)), model.upper_mw[begin:end]
