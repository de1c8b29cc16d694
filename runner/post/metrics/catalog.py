"""THE list of metrics, by family."""

from runner.post.metrics import (
    architecture,
    economics,
    evening,
    net_load,
    payments,
    physical,
    statements,
    unwinding,
)
from runner.post.metrics.metric import Family, Metric

FAMILIES: tuple[Family, ...] = (
    economics.FAMILY,
    physical.FAMILY,
    evening.FAMILY,
    net_load.FAMILY,
    unwinding.FAMILY,
    payments.FAMILY,
    statements.FAMILY,
    architecture.FAMILY,
)
"""Families in the order in which they are shown."""
METRICS: dict[str, Metric] = {metric.key: metric for family in FAMILIES for metric in family.metrics}
"""Every metric by key."""
