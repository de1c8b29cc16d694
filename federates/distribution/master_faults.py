"""What a master file cannot be read or driven with, each fault with file and line."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from federates.distribution.circuit import Circuit
from federates.distribution.legs import V_PER_KV, load_legs
from federates.distribution.nodes import PHASES, bus_of, fed_from, phase_of
from federates.distribution.screen import Statement

_STUDY_REFUSES = {
    "generator": "the study gives the DERs",
    "pvsystem": "the study gives the DERs",
    "storage": "the study gives the DERs",
    "capcontrol": "capacitors stay as they are in a study",
}
_RELAY_REFUSES = {
    *("bus", "reversible", "revvreg", "revband", "revr", "revx", "inversetime", "vlimit", "revthreshold"),
    *("revdelay", "revneutral", "remoteptratio", "rev_z", "cogen", "ldc_z"),
}
RATED_SHARE = (0.8, 1.25)
"""Rated over nominal voltage of a load; one given line-to-line for line-to-neutral is at 1.73 or 0.58."""
_TAP_RANGE = {"maxtap": 1.1, "mintap": 0.9, "numtaps": 32.0}


def unsupported(statements: Sequence[Statement]) -> Iterator[str]:
    """Elements that the circuit's readings do not cover."""
    sources = [s for s in statements if s.kind == "vsource" and s.verb == "new"]
    yield from (f"{s.place}: a second source; Tandem takes one" for s in sources)
    for s in statements:
        windings = s.last("windings") if s.kind in {"transformer", "xfmrcode"} else None
        if _differs(windings, 2.0) and _differs(windings, 3.0):
            yield f"{s.place}: {s.element} has {windings} windings; Tandem takes two, or a centre tap"
        if s.kind in {"reactor", "capacitor"} and s.last("bus2") is not None:
            yield f"{s.place}: {s.element} is in series (bus2); Tandem takes shunts to ground"


def untapped(statements: Sequence[Statement], circuit: Circuit) -> Iterator[str]:
    """Transformers of three windings that are not centre-tapped: one phase, two legs at one bus."""
    places = {s.element: s.place for s in reversed(statements) if s.verb == "new"}
    for branch in circuit.branches():
        legs = {bus_of(circuit, node) for node in branch.nodes2}
        if branch.ends_count > 2 and (len(branch.nodes1) > 2 or len(branch.nodes2) != 2 or len(legs) != 1):
            what = (
                "three windings, of which the last two are not the legs of one bus; Tandem takes centre taps"
            )
            yield f"{places[branch.name.lower()]}: {branch.name.lower()} has {what}"


def undrivable(statements: Sequence[Statement]) -> Iterator[str]:
    """What a study would silently overrule or get wrong."""
    regulated = {(s.last("transformer") or "").lower() for s in statements if s.kind == "regcontrol"}
    for s in statements:
        if s.verb == "new" and s.kind in _STUDY_REFUSES:
            yield f"{s.place}: {s.element}: {_STUDY_REFUSES[s.kind]}; take it out of the file"
        if s.verb == "set" and s.last("loadmult") not in {None, "1", "1.0"}:
            yield f"{s.place}: loadmult is the study's; take it out and give load_scale in the study"
        if s.kind == "regcontrol":
            refused = [key for key, _ in s.values if key in _RELAY_REFUSES]
            yield from (f"{s.place}: {s.element}: {key} is not played by Tandem's relays" for key in refused)
            if s.last("ptphase") not in {None, "1"}:
                yield f"{s.place}: {s.element}: ptphase {s.last('ptphase')} is not played by Tandem's relays"
        if s.kind == "transformer" and s.name in regulated:
            for key, usual in _TAP_RANGE.items():
                if _differs(s.last(key), usual):
                    yield f"{s.place}: {s.element}: {key} of a regulator must be {usual:g} in a study"


def unfed(circuit: Circuit, statements: Sequence[Statement], bus: str) -> Iterator[str]:
    """Elements at nodes that no conductor joins to the source."""
    places = {s.element: s.place for s in reversed(statements) if s.verb == "new"}
    fed = fed_from(circuit, bus)
    named: list[tuple[str, Sequence[int]]] = [
        (branch.name, branch.nodes1 + branch.nodes2) for branch in circuit.branches()
    ]
    named += [(shunt.name, shunt.nodes) for shunt in circuit.shunts()]
    for kind, names, nodes in (
        ("load", circuit.layout.loads, circuit.load_nodes),
        ("generator", circuit.layout.ders, circuit.der_nodes),
    ):
        named += [(f"{kind}.{name}", n) for name, n in zip(names, nodes, strict=True)]
    for element, conductors in named:
        lost = [node for node in conductors if node not in fed and phase_of(circuit, node) in PHASES]
        if lost:
            where = bus_of(circuit, lost[0])
            has = sorted(phase_of(circuit, n) for n in fed if bus_of(circuit, n) == where)
            phases = ", ".join(map(str, has)) or "none"
            place = places.get(element.lower(), circuit.layout.name)
            yield (
                f"{place}: {element}: phase {phase_of(circuit, lost[0])} of bus {where!r} is not fed "
                f"(phases fed there: {phases})"
            )


def misrated(statements: Sequence[Statement], circuit: Circuit) -> Iterator[str]:
    """Loads whose rated voltage is not that of their connection.

    The engine takes them, and turns them into impedances: a load rated too high ends as a voltage collapse,
    one rated too low draws several times its power.
    """
    places = {s.element: s.place for s in reversed(statements) if s.verb == "new"}
    ratings = circuit.load_ratings()
    legs = load_legs(circuit.load_nodes, ratings)
    share = legs.rated_v / legs.nominal_v(circuit.node_base_v, circuit.node_voltages_v())
    ends = np.stack([legs.node_from, legs.node_to])
    numbers = np.array([[phase_of(circuit, n) if n >= 0 else 0 for n in end] for end in ends.tolist()])
    wrong = ((share < RATED_SHARE[0]) | (share > RATED_SHARE[1])) & (numbers <= max(PHASES)).all(axis=0)
    for load in np.unique(legs.element[wrong]).tolist():
        first = int(np.argmax(legs.element == load))
        node, kv = int(legs.node_from[first]), float(ratings.kv[load])
        base_kv = float(circuit.node_base_v[node]) / V_PER_KV
        name, phases = circuit.layout.loads[load], int(ratings.phases_count[load])
        connection = "delta" if ratings.is_delta[load] else "wye"
        yield (
            f"{places[f'load.{name}']}: load.{name}: kv={kv:g} does not fit its connection ({connection}, "
            f"phases={phases}, {len(circuit.load_nodes[load])} conductors): the base of bus "
            f"{bus_of(circuit, node)!r} is {base_kv:.4g} kV to ground, {math.sqrt(3) * base_kv:.4g} between "
            f"phases; write kv={kv / share[first]:.4g}, or the conn or phases meant, or its voltagebases"
        )


def _differs(text: str | None, usual: float) -> bool:
    """Whether a value is given and is not a number's."""
    try:
        return text is not None and float(text) != usual
    except ValueError:
        return True


def at_source(statements: Sequence[Statement], circuit: Circuit, bus: str) -> Iterator[str]:
    """What stands at the source's bus beside lines and transformers."""
    places = {s.element: s.place for s in reversed(statements) if s.verb == "new"}
    at_nodes = [(f"load.{name}", n) for name, n in zip(circuit.layout.loads, circuit.load_nodes, strict=True)]
    at_nodes += [(shunt.name.lower(), shunt.nodes) for shunt in circuit.shunts()]
    for element, at in at_nodes:
        if any(bus_of(circuit, node) == bus for node in at):
            yield f"{places[element]}: {element} stands at the source's bus; only lines and transformers may"
