"""DERs of a feeder as a table of its user: where each one is, how large it is and whose.

One CSV file with the columns ``name, kind, bus, phases, kw, kwh, kva, owner, aggregator, profile`` and, where
wanted, ``settings``. Phases are digits: ``123``, ``2``, or ``12`` between two; behind a centre tap, 1 and 2
are its legs. Empty cells mean: no energy (``kwh``), 1.1 kVA per kW (``kva``), the default supplier
(``aggregator``), the feeder's own sun or demand (``profile``), the defaults of a study's `ders`
(``settings``). What ``kw`` and ``kwh`` of a kind are is said in `federates.core.der_rows`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from federates.core.der_rows import ROW_FORMS, RowFaultsError, row_settings
from federates.core.der_settings import DerSettings
from federates.core.errors import ConfigError
from federates.distribution.master import OpenDssFeeder
from federates.distribution.model import Feeder
from federates.distribution.rows import Row, read_rows
from federates.distribution.topology import BusLevel, bus_levels

COLUMNS = "name kind bus phases kw kwh kva owner aggregator profile"
SETTINGS = "settings"
KVA_PER_KW = 1.1
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class TabledDer:
    """One row of the table."""

    name: str
    kind: str
    """Key of a DER model."""
    bus: str
    phases: tuple[int, ...]
    power_kw: float
    """Greatest power. [kW]"""
    energy_kwh: float
    """Energy as the kind has it; 0 where it has none. [kWh]"""
    s_kva: float
    """Rating of the inverter, or the power where there is none. [kVA]"""
    settings: DerSettings
    """All of it as the settings of its kind."""
    owner: str
    """Whose it is."""
    aggregator: str
    """Who directs it; empty for the default supplier."""
    profile: str
    """Column of the profiles that it follows; empty for the feeder's own sun or demand."""
    place: str
    """File and line."""


def read_der_table(
    path: Path, feeder: Feeder, *, aggregators: Sequence[str], profiles: Sequence[str]
) -> tuple[TabledDer, ...]:
    """DERs of a table, checked against the feeder at which they stand.

    Parameters
    ----------
    path
        The CSV file.
    aggregators
        Names that the column may hold.
    profiles
        Columns of the profiles' file.

    Raises
    ------
    MissingInputError
        If there is no such file.
    ConfigError
        With every fault, each with file, line and column.
    """
    levels = feeder.levels if isinstance(feeder, OpenDssFeeder) else _offered(feeder)
    reader = _Reader(levels, aggregators, profiles)
    rows = [reader.read(row) for row in read_rows(path, COLUMNS, SETTINGS)]
    if reader.faults:
        raise ConfigError("\n".join(reader.faults))
    return tuple(row for row in rows if row is not None)


def _offered(feeder: Feeder) -> dict[str, BusLevel]:
    """Buses below the head, which takes lines only."""
    return {bus: level for bus, level in bus_levels(feeder).items() if bus != feeder.head_bus}


class _Reader:
    """Reads rows one by one and keeps what is wrong with them."""

    def __init__(
        self, levels: Mapping[str, BusLevel], aggregators: Sequence[str], profiles: Sequence[str]
    ) -> None:
        self._levels = {bus.lower(): (bus, level) for bus, level in levels.items()}
        self._aggregators, self._profiles = aggregators, profiles
        self._seen: dict[str, str] = {}
        self.faults: list[str] = []

    def read(self, row: Row) -> TabledDer | None:
        """DER of a row; None where it is at fault."""
        before = len(self.faults)
        name = self._try(row.name, "name")
        kind = self._try(lambda column: row.choice(column, *ROW_FORMS), "kind")
        power = self._try(row.positive, "kw")
        energy = self._try(row.positive, "kwh") if row.cells["kwh"] else 0.0
        kva = self._try(row.positive, "kva") if row.cells["kva"] else None
        owner = self._try(row.text, "owner")
        connection = self._connection(row)
        self.faults += self._misfits(row, name, power, kva)
        settings = self._settings(row, kind, power, energy)
        if len(self.faults) > before or connection is None:
            return None
        assert name is not None
        assert kind is not None
        assert power is not None
        assert energy is not None
        assert owner is not None
        assert settings is not None
        rated_kva = KVA_PER_KW * power if ROW_FORMS[kind].has_inverter else power
        return TabledDer(
            name=name,
            kind=kind,
            bus=connection[0],
            phases=connection[1],
            power_kw=power,
            energy_kwh=energy,
            s_kva=rated_kva if kva is None else kva,
            settings=settings,
            owner=owner,
            aggregator=row.cells["aggregator"],
            profile=row.cells["profile"],
            place=row.place,
        )

    def _settings(
        self, row: Row, kind: str | None, power: float | None, energy: float | None
    ) -> DerSettings | None:
        """Settings of a row's kind, once its columns are those of the kind."""
        if kind is None or energy is None:
            return None
        misfits = list(_misfits_of_kind(row, kind, energy))
        self.faults += misfits
        if misfits or power is None:
            return None
        try:
            return row_settings(kind, power, energy, row.cells[SETTINGS])
        except RowFaultsError as error:
            self.faults += [str(row.fault(SETTINGS, fault)) for fault in error.faults]
            return None

    def _try(self, read: Callable[[str], _T], column: str) -> _T | None:
        try:
            return read(column)
        except ConfigError as fault:
            self.faults.append(str(fault))
            return None

    def _connection(self, row: Row) -> tuple[str, tuple[int, ...]] | None:
        written = self._try(row.text, "bus")
        phases = self._try(row.phases, "phases")
        if written is None or phases is None:
            return None
        if written.lower() not in self._levels:
            self.faults.append(str(row.fault("bus", f"the feeder has no bus {written!r} below its head")))
            return None
        bus, level = self._levels[written.lower()]
        if not set(phases) <= set(level.phases):
            has = "".join(map(str, level.phases))
            self.faults.append(str(row.fault("phases", f"bus {written!r} has only {has}")))
        return bus, phases

    def _misfits(self, row: Row, name: str | None, power: float | None, kva: float | None) -> Iterator[str]:
        """What does not fit whatever the kind."""
        if name is not None and name.lower() in self._seen:
            yield str(row.fault("name", f"{name!r} stands already at {self._seen[name.lower()]}"))
        elif name is not None:
            self._seen[name.lower()] = row.place
        if kva is not None and power is not None and kva < power:
            yield str(row.fault("kva", f"{kva:g} kVA cannot carry {power:g} kW"))
        aggregator, profile = row.cells["aggregator"], row.cells["profile"]
        if aggregator and aggregator not in self._aggregators:
            known = ", ".join(self._aggregators)
            yield str(row.fault("aggregator", f"{aggregator!r} is none of {known}"))
        if profile and profile not in self._profiles:
            known = ", ".join(self._profiles) or "none are given"
            yield str(row.fault("profile", f"{profile!r} is no column of the profiles ({known})"))


def _misfits_of_kind(row: Row, kind: str, energy: float) -> Iterator[str]:
    form = ROW_FORMS[kind]
    if form.energy and not energy:
        yield str(row.fault("kwh", f"is empty; {kind} has its {form.energy} there"))
    if energy and not form.energy:
        yield str(row.fault("kwh", f"{kind} has no energy; leave it empty"))
    if row.cells["kva"] and not form.has_inverter:
        yield str(row.fault("kva", f"{kind} has no inverter; leave it empty"))
    if row.cells["profile"] and not form.follows:
        may = ", ".join(f"{key} ({f.follows})" for key, f in ROW_FORMS.items() if f.follows)
        yield str(row.fault("profile", f"{kind} follows none; these do: {may}"))
