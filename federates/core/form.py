"""What every part of a study's form has in common: keys without units, rules between keys, units in text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

_SUFFIXES = (
    "_usd_per_mwh",
    "_usd_per_mw",
    "_kg_per_mwh",
    "_kwh_per_c",
    "_c_per_kw",
    "_kwh",
    "_kva",
    "_kw",
    "_c",
    "_s",
)
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")]


def yaml_key(field: str) -> str:
    """Key in a study of a field: its name without the unit."""
    return next((field.removesuffix(s) for s in _SUFFIXES if field.endswith(s)), field)


class MisfitError(ValueError):
    """A rule between keys is broken; ``at`` leads from the settings to the key to blame."""

    def __init__(self, what: str, *at: str | int) -> None:
        super().__init__(what)
        self.at = at


class MisfitsError(ValueError):
    """Every broken rule of one settings object."""

    def __init__(self, found: Iterable[MisfitError]) -> None:
        self.found = tuple(found)
        super().__init__("; ".join(map(str, self.found)))


class Settings(BaseModel):
    """Base of all settings: frozen, nothing unknown allowed."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        alias_generator=yaml_key,
        validate_by_name=False,
        validate_by_alias=True,
        serialize_by_alias=True,
    )

    def misfits(self) -> Iterator[MisfitError]:
        """Broken rules between the keys; each key by itself is valid already."""
        return iter(())

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if found := tuple(self.misfits()):
            raise MisfitsError(found)
        return self
