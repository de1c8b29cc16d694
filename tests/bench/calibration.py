"""Whether each LDA of `rts_day` binds as its role says: the study without DERs, and with DERs uncoordinated.

    tandem run configs/studies/rts_day.yaml --set coordination=uncoordinated --out UNCOORDINATED
    tandem run configs/studies/rts_day.yaml --set coordination=uncoordinated --out WITHOUT \
        --set 'ldas.0.feeders.0.ders={}' --set 'ldas.1.feeders.0.ders={}' \
        --set 'ldas.2.feeders.0.ders={}' --set 'ldas.3.feeders.0.ders={}'
    python tests/bench/calibration.py WITHOUT/rts_day/RUN UNCOORDINATED/rts_day/RUN

Prints both tables and what they lack; exits 1 if anything is lacking.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from federates.core.arrays import BoolArray, FloatArray
from runner.post.run_tables import RunTables

ROLES = {
    "suburb": ("above_a_node_min", "export_over_min"),
    "city": ("import_over_min",),
    "rural": ("below_a_node_min",),
    "strong": (),
}
"""Limits that uncoordinated DERs must exceed."""
LEAST_MIN = 60
"""Minutes of all five feeders from which a limit counts as exceeded."""
TRANSIENT_MIN = 10
"""Minutes that jumps of the bulk grid's voltage may make before regulators have followed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exceeded:
    """Minutes of one day in which the limits of an LDA's simulated feeders were exceeded, added up."""

    below_a_node_min: int
    """Load nodes outside range A at instants at which only low voltages were outside."""
    above_a_node_min: int
    """The same for high ones."""
    both_a_node_min: int
    """Load nodes outside at instants at which a feeder had nodes on either side."""
    outside_b_node_min: int
    import_over_min: int
    export_over_min: int
    element_over_min: int
    """Lines, regulators and transformers above their ratings."""


def exceeded(run_dir: Path) -> dict[str, Exceeded]:
    """What was exceeded in each LDA of a finished run."""
    tables = RunTables(run_dir)
    ldas, place = tables.owners("feeder")
    minutes = tables.run.clock.step_s // 60
    column = {
        name: tables.column("feeder", name)
        for name in ("p_kw", "v_min_pu", "v_max_pu", "nodes_outside_a_count", "nodes_outside_b_count",
                     "lines_over_count", "head_over_kva")
    }  # fmt: skip
    outside = column["nodes_outside_a_count"]
    low = (outside > 0) & (column["v_min_pu"] < 0.95)
    high = (outside > 0) & (column["v_max_pu"] > 1.05)
    over, imports = column["head_over_kva"] > 0.0, column["p_kw"] >= 0.0

    def total(rows: BoolArray, values: FloatArray) -> list[int]:
        sums = np.bincount(place, np.where(rows, values, 0.0), minlength=len(ldas))
        return [minutes * round(value) for value in sums.tolist()]

    every, one = np.ones_like(low), np.ones(low.size)
    found = (
        total(low & ~high, outside),
        total(high & ~low, outside),
        total(low & high, outside),
        total(every, column["nodes_outside_b_count"]),
        total(over & imports, one),
        total(over & ~imports, one),
        total(every, column["lines_over_count"]),
    )
    names = [field.name for field in fields(Exceeded)]
    return {
        lda: Exceeded(**dict(zip(names, row, strict=True)))
        for lda, *row in zip(ldas, *found, strict=True)
    }  # fmt: skip


def lacking(without: dict[str, Exceeded], uncoordinated: dict[str, Exceeded]) -> Iterator[str]:
    """What the roles ask for and the runs do not show."""
    for lda, role in ROLES.items():
        for of, run in (("without DERs", without), ("uncoordinated", uncoordinated)):
            quiet = run is without or not role
            for field in fields(Exceeded):
                found = getattr(run[lda], field.name)
                if quiet and found > TRANSIENT_MIN:
                    yield f"{lda} {of}: {field.name} is {found}, more than transients"
                if not quiet and field.name in role and found < LEAST_MIN:
                    yield f"{lda} {of}: {field.name} is {found}, less than {LEAST_MIN}"


def main(without_dir: Path, uncoordinated_dir: Path) -> int:
    """Print the tables; 1 if anything is lacking."""
    runs = {"without DERs": exceeded(without_dir), "uncoordinated": exceeded(uncoordinated_dir)}
    names = [field.name for field in fields(Exceeded)]
    for title, run in runs.items():
        print(f"{title:14s}" + "".join(f"{name:>20s}" for name in names))
        for lda in ROLES:
            print(f"{lda:14s}" + "".join(f"{getattr(run[lda], name):20d}" for name in names))
    faults = list(lacking(*runs.values()))
    print("\n".join(faults) or "every LDA binds as its role says, and none without DERs")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
