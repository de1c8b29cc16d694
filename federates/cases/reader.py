"""One entry to every transmission case and to the series that drive it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args

from federates.cases.case import Series, TransmissionCase
from federates.cases.matpower import read_matpower
from federates.cases.pandapower_json import read_pandapower
from federates.cases.pjm5 import read_pjm5
from federates.cases.ppc import BLOCKS
from federates.cases.rts_gmlc import read_rts_gmlc
from federates.cases.rts_series import Resolution, read_rts_series
from federates.cases.shape import shaped_series
from federates.core.errors import ConfigError
from federates.core.time import Clock

CaseKind = Literal["rts_gmlc", "pjm5", "matpower", "pandapower"]


def read_case(
    kind: str,
    path: Path | None = None,
    stress: Mapping[str, float] | None = None,
    *,
    voltage_support: bool = True,
) -> TransmissionCase:
    """Transmission case of one of the known kinds.

    Parameters
    ----------
    kind : {"rts_gmlc", "pjm5", "matpower", "pandapower"}
        What to read.
    path : Path, optional
        File of a ``matpower`` or ``pandapower`` case.
    stress : mapping of str to float, optional
        Factor on the rating of named branches.
    voltage_support : bool
        Whether ``rts_gmlc`` gets its regulating devices.

    Raises
    ------
    ConfigError
        If the kind is unknown, the path is missing or superfluous, or a branch is not in the case.
    MissingInputError
        If a file or package is missing.
    """
    match kind, path:
        case "rts_gmlc", None:
            case = read_rts_gmlc(voltage_support=voltage_support)
        case "pjm5", None:
            case = read_pjm5()
        case "matpower", Path():
            case = read_matpower(path)
        case "pandapower", Path():
            case = read_pandapower(path)
        case "matpower" | "pandapower", None:
            raise ConfigError(f"transmission case of kind {kind!r} needs a path")
        case _ if kind in get_args(CaseKind):
            raise ConfigError(f"transmission case of kind {kind!r} takes no path, but was given {path}")
        case _:
            raise ConfigError(f"no transmission case of kind {kind!r}; choose one of {get_args(CaseKind)}")
    return case.with_ratings(dict(stress or {}))


def read_market_file(path: Path, *, blocks: int = BLOCKS) -> TransmissionCase:
    """Transmission case of a file, read by what its name ends with, for a market without a power flow.

    Parameters
    ----------
    path : Path
        A MATPOWER case (``.m``) or a pandapower network (``.json``).
    blocks : int
        Blocks into which a polynomial cost above degree one is cut.

    Raises
    ------
    ConfigError
        If the name ends with neither, or the file cannot be used; the message begins with file and line.
    MissingInputError
        If there is no such file.
    """
    match path.suffix.lower():
        case ".m":
            return read_matpower(path, blocks=blocks, market_only=True)
        case ".json":
            return read_pandapower(path, blocks=blocks)
        case _:
            raise ConfigError(
                f"{path}: the name tells no format; give a MATPOWER case (.m) or a network saved with "
                "pandapower.to_json (.json)"
            )


def read_series(
    case: TransmissionCase,
    clock: Clock,
    resolution: Resolution,
    begin_s: int,
    end_s: int,
    *,
    shape_area: int = 1,
) -> Series:
    """Series of a case over a window of study time: its own, or its base loads shaped.

    Parameters
    ----------
    case : TransmissionCase
        As :func:`read_case` gives it.
    clock : Clock
        Clock of the study.
    resolution : {"day_ahead", "real_time"}
        Hourly or five-minute series.
    begin_s, end_s : int
        Study times; may lie before the study's start or after its end. [s]
    shape_area : int
        RTS-GMLC area that shapes the load of a case without series of its own.

    Raises
    ------
    MissingInputError
        If the window leaves the year of the data, or a file is missing or broken.
    ConfigError
        If the window is empty or there is no such area.
    """
    if case.series == "rts_gmlc":
        return read_rts_series(case, clock, resolution, begin_s, end_s)
    return shaped_series(case, clock, resolution, begin_s, end_s, shape_area)
