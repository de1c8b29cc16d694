"""The study in which nobody uses the flexibility of its DERs: what that flexibility is worth is held to it.

Batteries stay away, vehicles charge on arrival, flexible loads stay at their base, small generators are off,
PV may be curtailed, no feeder limit is kept and units are committed as in the runs that are compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from federates.coordination.catalog import MODELS
from federates.core.errors import ConfigError
from federates.core.settings import FeederGroup, SolveCommitment, Study

MODEL = "M1"
"""Model of the idle run: the ISO may curtail PV, and keeps no feeder limit."""
AWAY = ("battery", "flexible", "generator")
"""Kinds that an idle study leaves out: the demand behind a flexible load is then fixed."""
BOUND = ("hvac", "water_heater", "process")
"""Kinds whose base is not that they are left out."""


def idle_sets(study: Study, commitment: Path) -> tuple[str, ...]:
    """Values that make a study its idle one; ``commitment``: as the runs that are compared have it.

    Raises
    ------
    ConfigError
        If a DER of the study has no idle state that a setting describes.
    """
    (model,) = (m.key for m in MODELS.values() if m.code == MODEL)
    sets = [f"coordination={model}"]
    if isinstance(study.market.commitment, SolveCommitment):
        sets.append(f"market.commitment={{kind: file, path: '{commitment.resolve()}'}}")
    for i, lda in enumerate(study.ldas):
        for j, group in enumerate(lda.feeders):
            sets += _idle_group(group, f"ldas.{i}.feeders.{j}", lda.name)
    return tuple(sets)


def _idle_group(group: FeederGroup, key: str, lda: str) -> Iterator[str]:
    held = [kind for kind in BOUND if getattr(group.ders, kind) is not None]
    held += ["a table of DERs"] if group.der_table is not None else []
    held += ["DERs outside the market"] if group.ders.participation < 1.0 else []
    if held:
        raise ConfigError(f"{lda}/{group.name} has {', '.join(held)}, whose idle state no setting describes")
    for kind in AWAY:
        if getattr(group.ders, kind) is not None:
            yield f"{key}.ders.{kind}=null"
    if group.ders.ev is not None and group.ders.ev.charging != "on_arrival":
        yield f"{key}.ders.ev.charging=on_arrival"
        yield f"{key}.ders.ev.aggregator=null"
