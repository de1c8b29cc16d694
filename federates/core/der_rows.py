"""A row of a table of DERs as the settings of its kind: what columns state, and what it says beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from federates.core.der_settings import (
    BatterySettings,
    DerSettings,
    EvSettings,
    FlexibleSettings,
    GeneratorSettings,
    HvacSettings,
    ProcessSettings,
    PvSettings,
    WaterHeaterSettings,
)
from federates.core.form import MisfitsError, yaml_key

_NOT_A_ROWS = {"aggregator", "profile"}
"""Settings that have a column of their own."""
_WORDS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class RowForm:
    """What a row of one kind states, and what it may say."""

    settings: type[DerSettings]
    energy: str = ""
    """What its column `kwh` is; empty where the kind has none."""
    sizes: Mapping[str, str] = field(default_factory=dict)
    """Setting -> column that states it; of units, what they share."""
    fixed: Mapping[str, object] = field(default_factory=dict)
    """Settings that every row has."""
    has_units: bool = False
    """Whether a row stands for several equal units (`count`), one unless it says more."""
    has_inverter: bool = False
    """Whether its column `kva` is read."""
    follows: str = ""
    """What a profile says of it; empty where it follows none."""

    @property
    def free(self) -> tuple[str, ...]:
        """Settings that a row may state beside its columns."""
        keys = map(yaml_key, self.settings.model_fields)
        return tuple(k for k in keys if k not in {*self.sizes, *self.fixed, *_NOT_A_ROWS})


ROW_FORMS: Mapping[str, RowForm] = {
    "pv": RowForm(
        settings=PvSettings, sizes={"power": "kw"}, has_inverter=True, follows="what the sun gives"
    ),
    "battery": RowForm(
        settings=BatterySettings,
        energy="usable energy",
        sizes={"power": "kw", "energy": "kwh"},
        has_inverter=True,
    ),
    "ev": RowForm(
        settings=EvSettings,
        energy="usable energy of the vehicle's battery",
        sizes={"charger": "kw", "battery": "kwh"},
        fixed={"count": 1, "charging": "managed", "far_weight": 1.0},
        has_inverter=True,
    ),
    "flexible": RowForm(settings=FlexibleSettings, fixed={"share": 0.0}, follows="what it would draw"),
    "hvac": RowForm(settings=HvacSettings, sizes={"unit": "kw"}, has_units=True),
    "water_heater": RowForm(settings=WaterHeaterSettings, sizes={"unit": "kw"}, has_units=True),
    "process": RowForm(
        settings=ProcessSettings,
        energy="energy of a mean day",
        sizes={"power": "kw", "daily_energy": "kwh"},
        follows="how much of it may run",
    ),
    "generator": RowForm(settings=GeneratorSettings, sizes={"power": "kw"}, fixed={"count": 1}),
}
"""Every kind."""


class RowFaultsError(ValueError):
    """Everything that is wrong with a row's settings."""

    def __init__(self, faults: Iterator[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(self.faults))


def row_settings(kind: str, kw: float, kwh: float, text: str) -> DerSettings:
    """Settings of one row.

    Parameters
    ----------
    kind
        One of `ROW_FORMS`.
    kw, kwh
        Its columns, energy 0 where the kind has none. [kW], [kWh]
    text
        What it says beside them: ``KEY=VALUE; ...``, keys and units as in a study's `ders`.

    Raises
    ------
    RowFaultsError
        If a key or a value does not fit.
    """
    form = ROW_FORMS[kind]
    given = _parsed(text)
    unknown = [key for key in given if key not in form.free]
    if unknown:
        may = ", ".join(form.free)
        raise RowFaultsError(f"{key!r} is none of what {kind} may state here: {may}" for key in unknown)
    columns = {"kw": kw, "kwh": kwh}
    values: dict[str, object] = {key: columns[column] for key, column in form.sizes.items()}
    values |= {**form.fixed, **given}
    if form.has_units:
        count = values.setdefault("count", 1)
        if not (isinstance(count, int | float) and count >= 1):
            raise RowFaultsError(iter((f"count: {count!r} is no number of units, 1 or more",)))
        values["unit"] = kw / count
    try:
        return form.settings.model_validate(values)
    except ValidationError as error:
        raise RowFaultsError(_told(error)) from error


def _parsed(text: str) -> dict[str, object]:
    """Values by key; a number stays one, everything else is read by the setting's own rules."""
    found: dict[str, object] = {}
    for part in filter(None, map(str.strip, text.split(";"))):
        key, equals, written = (word.strip() for word in part.partition("="))
        if not equals or not key or not written:
            raise RowFaultsError(iter((f"{part!r} is not KEY=VALUE; ...",)))
        found[key] = _WORDS.get(written, _number(written))
    return found


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _told(error: ValidationError) -> Iterator[str]:
    for detail in error.errors(include_url=False):
        cause = detail.get("ctx", {}).get("error")
        if isinstance(cause, MisfitsError):
            yield from (f"{'.'.join(map(str, found.at))}: {found}" for found in cause.found)
        elif detail["type"] == "missing":
            yield f"{detail['loc'][0]} must be stated: {detail['loc'][0]}=..."
        else:
            yield f"{'.'.join(map(str, detail['loc']))}: {detail['msg'].removeprefix('Value error, ')}"
