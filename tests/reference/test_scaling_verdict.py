"""Study H15's verdict fires both ways; what machines take is given, for no test may hang on it."""

from __future__ import annotations

from typing import cast

import pytest

from federates.iso.sced import Clearing
from tests.bench.bench_scaling import Cost, verdict

FEW, MANY = 100, 10_000
AS_EXPECTED = {"M1": (1.0, 9.0, 0.0), "M4": (2.0, 80.0, 3_000.0), "M5": (1.0, 1.0, 6_000.0)}
"""The ISO's time with few and many DERs, and the DSOs' with many. [ms]"""


def told(**changed: tuple[float, float, float]) -> str:
    """The verdict on these times, of some models others than expected."""
    times = {**AS_EXPECTED, **changed}
    few = {code: cost(iso_ms, 60.0) for code, (iso_ms, _, _) in times.items()}
    many = {code: cost(iso_ms, dso_ms) for code, (_, iso_ms, dso_ms) in times.items()}
    return verdict({FEW: few, MANY: many})


def cost(iso_ms: float, dso_ms: float) -> Cost:
    return Cost(
        first_ms=0.0, later_ms=iso_ms, dso_ms=dso_ms, rows=0, columns=0, taken_in_bytes=0,
        found=cast("Clearing", None),
    )  # fmt: skip


@pytest.mark.parametrize(
    "changed",
    [
        {"M5": (1.0, 9.0, 6_000.0)},  # a total DSO that passes every DER's offer on
        {"M1": (1.0, 1.0, 0.0)},
        {"M4": (2.0, 2.0, 3_000.0)},
        {"M5": (1.0, 1.0, 0.0), "M1": (1.0, 9.0, 10.0)},  # layered computes least of all: the claim denies it
    ],
)
def test_the_verdict_fires_both_ways(changed: dict[str, tuple[float, float, float]]) -> None:
    assert told().startswith("H15: supported")
    assert told(**changed).startswith("H15: not supported")


def test_too_few_ders_tell_nothing() -> None:
    few = {code: cost(1.0, 1.0) for code in AS_EXPECTED}
    assert verdict({FEW: few, 10 * FEW: few}).startswith("H15: not tested")
