"""What DERs of every run earned, as rows of a table."""

from __future__ import annotations

from runner.post.compare.comparison import Comparison
from runner.post.headline import number
from runner.post.metrics.statements import NEEDS, earnings

EARNING_HEADS = ("run", "LDA", "kind", "side", "aggregator", "owner", "product", "MWh", "paid to them [$]")


def earning_rows(comparison: Comparison) -> list[tuple[str, ...]]:
    """What DERs earned in every run, by LDA, kind, side of the meter, aggregator, owner and product."""
    return [
        (
            contender.code, e.lda, e.kind, e.side, e.aggregator or "-", e.owner or "-", e.product,
            number(e.mwh), number(e.usd),
        )
        for contender in comparison.contenders
        if set(NEEDS) <= contender.tables.names
        for e in earnings(contender.tables)
    ]  # fmt: skip
