"""Whether each LDA of `rts_day` binds as its role says: the study without DERs, and with DERs uncoordinated.

    python tests/bench/calibration.py without OUT
    python tests/bench/calibration.py uncoordinated OUT
    python tests/bench/calibration.py judge OUT

The first two run the shipped study under M0 into a folder, the first with no DER on any feeder; what stands
after OUT is set in the study (`KEY=VALUE`). The third prints both tables and what they lack, and exits 1 if
anything is lacking.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from federates.core.arrays import BoolArray, FloatArray
from runner.post.run_tables import RunTables
from runner.progress import display
from runner.run import start_run
from runner.study import load_study

STUDY = Path(__file__).parents[2] / "configs" / "studies" / "rts_day.yaml"
WITHOUT, UNCOORDINATED = "without", "uncoordinated"

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


def ran(kind: str, out: Path, sets: Sequence[str]) -> int:
    """Run the study; 1 if it does not come to its end."""
    wanted = ["coordination=uncoordinated", *sets]
    if kind not in {WITHOUT, UNCOORDINATED}:
        raise SystemExit(f"{kind!r} is none of {WITHOUT}, {UNCOORDINATED}, judge")
    if kind == WITHOUT:
        ldas = load_study(STUDY, wanted).study.ldas
        groups = [(i, k) for i, lda in enumerate(ldas) for k in range(len(lda.feeders))]
        wanted += [f"ldas.{i}.feeders.{k}.ders={{}}" for i, k in groups]
    end = start_run(STUDY, wanted, transport="helics", results=out / kind, shown=display(silent=False))
    print(f"{kind}: {end.status} {end.exit_reason}: {end.run_dir}")
    return int(end.status != "done")


def newest(out: Path, kind: str) -> Path:
    """The last run of a kind."""
    return max((out / kind).glob("*/*/done.json"), key=lambda path: path.stat().st_mtime).parent


def judged(out: Path) -> int:
    """Print the tables; 1 if anything is lacking."""
    runs = {
        "without DERs": exceeded(newest(out, WITHOUT)),
        "uncoordinated": exceeded(newest(out, UNCOORDINATED)),
    }
    names = [field.name for field in fields(Exceeded)]
    for title, run in runs.items():
        print(f"{title:14s}" + "".join(f"{name:>20s}" for name in names))
        for lda in ROLES:
            print(f"{lda:14s}" + "".join(f"{getattr(run[lda], name):20d}" for name in names))
    faults = list(lacking(*runs.values()))
    print("\n".join(faults) or "every LDA binds as its role says, and none without DERs")
    return int(bool(faults))


if __name__ == "__main__":
    word, folder, *values = sys.argv[1:]
    sys.exit(judged(Path(folder)) if word == "judge" else ran(word, Path(folder), values))
