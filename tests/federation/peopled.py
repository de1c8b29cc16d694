"""Studies of `tiny` whose first area has batteries of owners with names."""

from __future__ import annotations

from pathlib import Path

from tests.build import ROOT, TINY

SHARED = [("first", "671", 200, "alice"), ("twin_1", "675", 80, "bob"), ("twin_2", "675", 80, "carol")]
RENAMED = [("z9", "671", 200, "x"), ("y8", "675", 80, "y"), ("x7", "675", 80, "z")]
SWAPPED = [SHARED[0], SHARED[2], SHARED[1]]
ANOTHER = [("first", "671", 900, "alice"), *SHARED[1:]]
HEAD = "name,kind,bus,phases,kw,kwh,kva,owner,aggregator,profile\n"
DER = "{name},battery,{bus},123,{kw},{kwh},{kw},{owner},,\n"
FEEDER = """
      - name: {name}
        model: {{kind: table, path: {model}}}
        seed_id: {seed}
        load_scale: {scale}
        export_limit: 1 MVA
        der_table: {table}
        ders: {{pv: {{power: {pv} MW}}}}"""
LDAS = """include: [{tiny}]
ldas:
  - name: lda1
    bus: B
    multiplicity: 5
    feeders:{feeders}
  - name: lda2
    bus: C
    feeders:
      - name: urban
        model: {{kind: table, path: {model}}}
        seed_id: 21
        ders: {{battery: {{power: 1 MW, energy: 2 MWh}}}}
"""


def written(folder: Path, names: tuple[str, str], ders: list[tuple[str, str, int, str]]) -> Path:
    """Study whose first area has two feeders, in the order of ``names``, and single batteries on the first.

    ``ders``: name, bus, kW and owner of each battery.
    """
    folder.mkdir()
    model = ROOT / "configs" / "feeders" / "ieee13"
    rows = [DER.format(name=n, bus=b, kw=kw, kwh=2 * kw, owner=o) for n, b, kw, o in ders]
    (folder / "ders.csv").write_text(HEAD + "".join(rows))
    (folder / "none.csv").write_text(HEAD + DER.format(name="b", bus="680", kw=10, kwh=20, owner="x"))
    described = {
        "a": {"seed": 11, "scale": 0.5, "table": "ders.csv", "pv": 2},
        "b": {"seed": 31, "scale": 0.8, "table": "none.csv", "pv": 1},
    }
    feeders = "".join(FEEDER.format(name=name, model=model, **described[name[0]]) for name in names)
    path = folder / "study.yaml"
    path.write_text(LDAS.format(tiny=TINY, feeders=feeders, model=model))
    return path
