"""Quantities in a study: a number in the key's own unit, or text such as ``5 min`` or ``3.5 MW``."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

_TEXT = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([A-Za-z%$/]+)\s*")

FACTORS: dict[str, dict[str, float]] = {
    "time": {"s": 1.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0},
    "power": {"W": 1e-3, "kW": 1.0, "MW": 1e3},
    "apparent power": {"kVA": 1.0, "MVA": 1e3},
    "energy": {"kWh": 1.0, "MWh": 1e3},
    "price": {"USD/MWh": 1.0, "$/MWh": 1.0, "USD/kWh": 1e3},
    "temperature": {"C": 1.0},
    "temperature difference": {"K": 1.0},
    "thermal resistance": {"K/kW": 1.0},
    "thermal capacitance": {"kWh/K": 1.0},
    "cost per power": {"USD/MW": 1.0, "$/MW": 1.0},
    "emission rate": {"kg/MWh": 1.0, "t/MWh": 1e3},
    "voltage": {"V": 1.0, "kV": 1e3},
    "share": {"%": 0.01},
}
"""Units of each kind of quantity, over its canonical unit."""


def _kind_of(unit: str) -> str | None:
    return next((kind for kind, units in FACTORS.items() if unit in units), None)


def canonical(value: object, kind: str) -> float:
    """Number in the kind's canonical unit from a number or ``<n> <unit>``.

    Raises
    ------
    ValueError
        If the text is no quantity, or its unit is of another kind; the text says which.
    """
    if isinstance(value, bool):
        raise ValueError(f"a {kind} is expected, such as {_example(kind)}")  # noqa: TRY004 - pydantic's own
    if isinstance(value, int | float):
        return _finite(float(value), kind)
    match = _TEXT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{value!r} is no {kind}; write a number or {_example(kind)}")
    number, unit = match.groups()
    factor = FACTORS[kind].get(unit)
    if factor is None:
        other = _kind_of(unit)
        what = f"is a unit of {other}" if other else "is not known"
        raise ValueError(f"unit {unit!r} {what}; a {kind} is expected, such as {_example(kind)}")
    return _finite(float(number) * factor, kind)


def _finite(number: float, kind: str) -> float:
    if not math.isfinite(number):
        raise ValueError(f"a finite {kind} is expected, such as {_example(kind)}")
    return number


def _example(kind: str) -> str:
    first = next(iter(FACTORS[kind]))
    return f"'5 {first}' (units: {', '.join(FACTORS[kind])})"


def _before(kind: str) -> Callable[[object], float]:
    return lambda value: canonical(value, kind)


def _whole_seconds(value: object) -> int:
    seconds = canonical(value, "time")
    if seconds != round(seconds):
        raise ValueError(f"{value!r} is not a whole number of seconds")
    return round(seconds)


def _schema(kind: str, bounds: Mapping[str, float]) -> dict[str, object]:
    units = "|".join(re.escape(u) for u in FACTORS[kind])
    text = {"type": "string", "pattern": rf"^\s*[-+]?[0-9.]+([eE][-+]?[0-9]+)?\s*({units})\s*$"}
    return {"anyOf": [{"type": "number", **bounds}, text]}


def _bounded(kind: str, bounds: Mapping[str, float]) -> Callable[[float], float]:
    def check(value: float) -> float:
        low, above, high = bounds.get("minimum"), bounds.get("exclusiveMinimum"), bounds.get("maximum")
        if low is not None and value < low:
            raise ValueError(f"{value:g} is too small; the least {kind} here is {low:g}")
        if above is not None and value <= above:
            raise ValueError(f"{value:g} is too small; the {kind} must be more than {above:g}")
        if high is not None and value > high:
            raise ValueError(f"{value:g} is too large; the greatest {kind} here is {high:g}")
        return value

    return check


def _quantity(kind: str, **bounds: float) -> tuple[BeforeValidator, BeforeValidator, WithJsonSchema]:
    # BeforeValidators run from the last to the first
    return (
        BeforeValidator(_bounded(kind, bounds)),
        BeforeValidator(_before(kind)),
        WithJsonSchema(_schema(kind, bounds)),
    )


_POSITIVE = {"exclusiveMinimum": 0.0}
_NOT_NEGATIVE = {"minimum": 0.0}

Seconds = Annotated[
    int,
    BeforeValidator(_bounded("time", _POSITIVE)),
    BeforeValidator(_whole_seconds),
    WithJsonSchema(_schema("time", _POSITIVE)),
]
"""A whole, positive number of seconds."""
SecondsFromZero = Annotated[
    int,
    BeforeValidator(_bounded("time", _NOT_NEGATIVE)),
    BeforeValidator(_whole_seconds),
    WithJsonSchema(_schema("time", _NOT_NEGATIVE)),
]
"""A whole number of seconds, zero allowed."""
Kilowatts = Annotated[float, *_quantity("power", minimum=0.0)]
"""A power of zero or more. [kW]"""
KilovoltAmperes = Annotated[float, *_quantity("apparent power", exclusiveMinimum=0.0)]
"""An apparent power. [kVA]"""
KilowattHours = Annotated[float, *_quantity("energy", minimum=0.0)]
"""An energy of zero or more. [kWh]"""
UsdPerMwh = Annotated[float, *_quantity("price", minimum=-1_000.0, maximum=10_000.0)]
"""A price. [$/MWh]"""
Celsius = Annotated[float, *_quantity("temperature", minimum=-60.0, maximum=100.0)]
"""A temperature. [deg C]"""
Kelvins = Annotated[float, *_quantity("temperature difference", minimum=0.0, maximum=60.0)]
"""A temperature difference. [K]"""
KelvinsPerKw = Annotated[float, *_quantity("thermal resistance", exclusiveMinimum=0.0)]
"""A thermal resistance. [K/kW]"""
KwhPerKelvin = Annotated[float, *_quantity("thermal capacitance", exclusiveMinimum=0.0)]
"""A thermal capacitance. [kWh/K]"""
UsdPerMw = Annotated[float, *_quantity("cost per power", minimum=0.0)]
"""A cost over a rating. [$/MW]"""
KilogramsPerMwh = Annotated[float, *_quantity("emission rate", minimum=0.0)]
"""Emissions over energy. [kg/MWh]"""
Share = Annotated[float, *_quantity("share", minimum=0.0, maximum=1.0)]
"""A share between 0 and 1."""
PositiveShare = Annotated[float, *_quantity("share", exclusiveMinimum=0.0, maximum=1.0)]
"""A share above 0, at most 1."""
Factor = Annotated[float, *_quantity("share", exclusiveMinimum=0.0, maximum=100.0)]
"""A positive factor; ``120 %`` is 1.2."""
