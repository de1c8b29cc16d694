"""Quantities: a number in the key's unit, or text with a unit of the same kind."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from federates.core.units import (
    FACTORS,
    Factor,
    Kilowatts,
    Seconds,
    SecondsFromZero,
    Share,
    UsdPerMwh,
    canonical,
)

ROUNDING = 1e-12
"""Relative error of one product in float64, with room."""


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("5 min", "time", 300.0),
        ("1.5h", "time", 5400.0),
        (" 2 d ", "time", 172_800.0),
        ("3.5 MW", "power", 3_500.0),
        ("250 W", "power", 0.25),
        ("2 MVA", "apparent power", 2_000.0),
        ("1e-1 MWh", "energy", 100.0),
        ("-5 USD/MWh", "price", -5.0),
        ("30 $/MWh", "price", 30.0),
        ("10 %", "share", 0.1),
        (7, "time", 7.0),
        (0.25, "share", 0.25),
    ],
)
def test_a_quantity_is_read_in_its_canonical_unit(text: object, kind: str, value: float) -> None:
    assert canonical(text, kind) == pytest.approx(value, rel=ROUNDING)


@pytest.mark.parametrize(
    ("text", "kind", "what"),
    [
        ("5 MW", "time", "unit 'MW' is a unit of power; a time is expected"),
        ("5 kVA", "power", "unit 'kVA' is a unit of apparent power; a power is expected"),
        ("5 MWh", "power", "unit 'MWh' is a unit of energy"),
        ("5 m", "time", "unit 'm' is not known"),
        ("5 mw", "power", "unit 'mw' is not known"),
        ("five", "time", "'five' is no time"),
        ("5", "time", "'5' is no time"),
        ("12:30", "time", "'12:30' is no time"),
        ("", "time", "'' is no time"),
        (True, "time", "a time is expected"),
        (None, "power", "None is no power"),
        ([5], "power", "[5] is no power"),
        (math.nan, "power", "a finite power is expected"),
        (math.inf, "time", "a finite time is expected"),
        ("1e999 s", "time", "a finite time is expected"),
    ],
)
def test_what_is_no_quantity_of_the_kind_is_said_in_plain_words(text: object, kind: str, what: str) -> None:
    with pytest.raises(ValueError, match=re.escape(what)):
        canonical(text, kind)


@given(st.floats(-1e9, 1e9), st.sampled_from([(k, u) for k, units in FACTORS.items() for u in units]))
def test_a_unit_multiplies_by_its_factor(number: float, which: tuple[str, str]) -> None:
    kind, unit = which
    expected = number * FACTORS[kind][unit]
    assert canonical(f"{number!r} {unit}", kind) == pytest.approx(expected, rel=ROUNDING)


@pytest.mark.parametrize(
    ("form", "good", "bad", "what"),
    [
        (Seconds, 1, 0, "must be more than 0"),
        (Seconds, "1 min", "1.5 s", "not a whole number of seconds"),
        (SecondsFromZero, 0, -1, "the least time here is 0"),
        (Kilowatts, 0, "-1 W", "the least power here is 0"),
        (Share, "100 %", "101 %", "the greatest share here is 1"),
        (Factor, "120 %", 0, "must be more than 0"),
        (UsdPerMwh, -1000, 10_001, "the greatest price here is 10000"),
    ],
)
def test_a_bound_binds(form: object, good: object, bad: object, what: str) -> None:
    adapter: TypeAdapter[object] = TypeAdapter(form)
    adapter.validate_python(good)
    with pytest.raises(ValidationError) as caught:
        adapter.validate_python(bad)
    assert what in str(caught.value)
