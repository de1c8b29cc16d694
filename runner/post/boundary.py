"""What the balanced boundary of transmission and distribution leaves out, beside the run's own unbalance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from federates.core.arrays import BoolArray
from runner.post.page import Html, element, origin, table
from runner.post.run_tables import RunTables

KEY = "boundary"
TITLE = "Boundary: what a balanced interface leaves out"
NEEDS = ("head",)
NEGLECTED = (
    "Transmission is solved in the positive sequence, and each LDA sees its bus as a stiff balanced source."
    " Left out is the negative-sequence voltage that an LDA's unbalanced current makes in the grid's own"
    " impedance; zero sequence does not pass the substation's delta."
)
MEASURED = (
    "Measured against a three-phase Thevenin source at bus 303 of RTS-GMLC (0.054 pu on 100 MVA), with ten"
    " feeders whose heavy phases are the same, 27 MW and 13.5 to 14.3 % of negative sequence: the worst node"
    " moves by 0.0023 pu (13-node feeder) and 0.0028 pu (123-node feeder), the power by about 1e-4 of itself."
    " It grows with the negative-sequence current and with the weakness of the bus: a study of limits that"
    " hang on 0.3 % of voltage at a weak bus must not lean on a balanced interface."
)
READ_WITH = (
    "Shares of the positive-sequence current at each LDA's head. Where an LDA's net current nears zero the"
    " share is large though the current is small."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unbalance:
    """How unbalanced the current at an LDA's head was; each triple is least, median and greatest."""

    lda: str
    i2_pct: tuple[float, float, float]
    """Negative-sequence over positive-sequence current. [%]"""
    i0_pct: tuple[float, float, float]
    """Zero-sequence over positive-sequence current. [%]"""


def unbalance(tables: RunTables) -> tuple[Unbalance, ...]:
    """Shares of each LDA over the instants of table ``head``, by name.

    Raises
    ------
    MissingInputError
        If the table was not recorded.
    """
    ldas, place = tables.owners("head")
    return tuple(
        Unbalance(
            lda=lda,
            i2_pct=_spread(tables, "i2_pct", place == k),
            i0_pct=_spread(tables, "i0_pct", place == k),
        )
        for k, lda in enumerate(ldas)
    )


def boundary_panel(tables: RunTables) -> Html:
    """The note on the boundary, with the run's own unbalance by LDA."""
    heads = ["LDA"]
    heads += [
        f"{kind}, {which} [%]" for kind in ("negative", "zero") for which in ("least", "median", "greatest")
    ]
    rows = [
        (found.lda, *(_share(found.lda, "i2", k, v) for k, v in enumerate(found.i2_pct)),
         *(_share(found.lda, "i0", k, v) for k, v in enumerate(found.i0_pct)))
        for found in unbalance(tables)
    ]  # fmt: skip
    return element(
        "div",
        element("h3", TITLE),
        element("p", NEGLECTED, class_="sees"),
        element("p", MEASURED, class_="sees"),
        table(heads, rows, numbers=range(1, len(heads))),
        element("p", READ_WITH, class_="sees"),
        origin(*NEEDS),
        class_="panel",
        id=KEY,
    )


def _spread(tables: RunTables, column: str, mine: BoolArray) -> tuple[float, float, float]:
    values = tables.column("head", column)[mine]
    return float(values.min()), float(np.median(values)), float(values.max())


def _share(lda: str, sequence: str, which: int, value: float) -> Html:
    name = ("min", "median", "max")[which]
    return element("data", f"{value:.1f}", value=repr(value), data_boundary=f"{lda}/{sequence}_{name}_pct")
