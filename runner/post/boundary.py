"""What the balanced boundary of transmission and distribution leaves out, beside the run's own unbalance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from runner.post.page import Html, element, origin, table
from runner.post.run_tables import RunTables

KEY = "boundary"
TITLE = "Boundary: what a balanced interface leaves out"
NEEDS = ("head",)
NEGLECTED = (
    "Transmission is solved in the positive sequence, and each LDA sees its bus as a stiff balanced source."
    " Left out is the negative-sequence voltage that an LDA's unbalanced current makes in the grid's own"
    " impedance: it raises some phases of the feeders and lowers others. Zero sequence does not pass the"
    " substation's delta."
)
MEASURED = (
    "Measured against a three-phase Thevenin source at bus 303 of RTS-GMLC (0.054 pu on 100 MVA), with ten"
    " feeders whose heavy phases are the same, 27 MW and 13.5 to 14.3 % of negative sequence: the worst node"
    " moves by 0.0023 pu (13-node feeder) and 0.0028 pu (123-node feeder), the power by about 1e-4 of itself."
    " It grows with the negative-sequence current and with the weakness of the bus: a study of limits that"
    " hang on 0.3 % of voltage at a weak bus must not lean on a balanced interface."
)
READ_WITH = (
    "Shares are those of the positive-sequence current at each LDA's head: large where its net current nears"
    " zero, though the current is small. Negative-sequence power is that share times the interface's apparent"
    " power. Times an impedance of 0.054 pu it is the voltage that this run leaves out, to first order; a bus"
    " with another impedance leaves out in proportion."
)
WITNESS_PU = 0.054
"""Impedance of bus 303 of RTS-GMLC, at which the difference was measured, on 100 MVA. [pu]"""
BASE_MVA = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unbalance:
    """How unbalanced the current at an LDA's head was."""

    lda: str
    i2_median_pct: float
    """Negative-sequence over positive-sequence current. [%]"""
    i2_max_pct: float
    i0_max_pct: float
    """Zero-sequence over positive-sequence current. [%]"""
    s2_max_mva: float
    """Negative-sequence current times voltage, multiplicity included. [MVA]"""

    @property
    def left_out_pu(self) -> float:
        """Greatest negative-sequence voltage behind `WITNESS_PU`, to first order. [pu]"""
        return negative_voltage_pu(self.s2_max_mva, WITNESS_PU)


def negative_voltage_pu(s2_mva: float, impedance_pu: float) -> float:
    """Voltage that a negative-sequence power makes in an impedance on 100 MVA, near 1 pu. [pu]"""
    return impedance_pu * s2_mva / BASE_MVA


def unbalance(tables: RunTables) -> tuple[Unbalance, ...]:
    """Shares of each LDA over the instants of table ``head``, by name.

    Raises
    ------
    MissingInputError
        If the table was not recorded.
    """
    ldas, place = tables.owners("head")
    i2, i0 = tables.column("head", "i2_pct"), tables.column("head", "i0_pct")
    s2 = i2 / 100.0 * np.hypot(tables.column("head", "p_mw"), tables.column("head", "q_mvar"))
    found = []
    for k, lda in enumerate(ldas):
        mine = place == k
        found.append(
            Unbalance(
                lda=lda,
                i2_median_pct=float(np.median(i2[mine])),
                i2_max_pct=float(i2[mine].max()),
                i0_max_pct=float(i0[mine].max()),
                s2_max_mva=float(s2[mine].max()),
            )
        )
    return tuple(found)


def boundary_panel(tables: RunTables) -> Html:
    """The note on the boundary, with the run's own unbalance by LDA."""
    heads = (
        "LDA", "negative sequence, median [%]", "negative, greatest [%]", "zero, greatest [%]",
        "negative-sequence power, greatest [MVA]", f"voltage left out at {WITNESS_PU} pu [pu]",
    )  # fmt: skip
    rows = [
        (
            found.lda,
            _figure(found.lda, "i2_median_pct", found.i2_median_pct, 1),
            _figure(found.lda, "i2_max_pct", found.i2_max_pct, 1),
            _figure(found.lda, "i0_max_pct", found.i0_max_pct, 1),
            _figure(found.lda, "s2_max_mva", found.s2_max_mva, 2),
            _figure(found.lda, "left_out_pu", found.left_out_pu, 4),
        )
        for found in unbalance(tables)
    ]
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


def _figure(lda: str, key: str, value: float, decimals: int) -> Html:
    return element("data", f"{value:.{decimals}f}", value=repr(value), data_boundary=f"{lda}/{key}")
