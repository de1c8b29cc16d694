"""Study texts for tests: a valid one, changed at one place, with the place where a fault must be found."""

from __future__ import annotations

from pathlib import Path

MARK = "§"
VALID = """\
schema_version: 1
name: trial
coordination: layered_total_dso
horizon:
  start: 2020-03-27T17:00:00
  duration: 1 h
  step: 60 s
transmission:
  kind: pjm5
market:
  commitment: {kind: all_on}
ldas:
  - name: lda1
    bus: B
    feeders:
      - name: solar
        model: {kind: table, path: ieee13}
        seed_id: 11
        ders:
          pv: {power: 2.0 MW}
          battery: {power: 600 kW, energy: 1200 kWh}
  - name: lda2
    bus: C
    feeders:
      - name: urban
        model: {kind: synthetic, nodes: 100}
        seed_id: 21
"""


def changed(*changes: tuple[str, str]) -> str:
    """The valid study with texts replaced, each of which is there exactly once."""
    text = VALID
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in the study"
        text = text.replace(old, new)
    return text


def written(folder: Path, text: str, name: str = "study.yaml") -> tuple[Path, str]:
    """File of a text without its mark, and ``line:column`` of the mark."""
    path = folder / name
    before, _, after = text.partition(MARK)
    path.write_text(before + after, encoding="utf-8")
    return path, f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"
