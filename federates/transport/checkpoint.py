"""A federate's state between two federations of a chain: one ``.npz`` file, written whole or not at all.

It holds the federate's own arrays, the bytes of the latest message on every wire into it, and the instant at
which it last acted.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from federates.core.errors import MissingInputError
from federates.core.protocol import State
from federates.core.run_folder import write_whole
from federates.core.time import SimTime

SCHEMA = 1
_STATE = "state."
_WIRE = "wire."


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a federate needs to go on at a span's boundary."""

    state: State
    """The federate's own arrays."""
    messages: dict[str, bytes]
    """Bytes of the latest message by wire key."""
    acted_s: SimTime | None
    """Instant at which the federate last acted; None: never. [s]"""
    boundary_s: SimTime
    """Instant at which the span ended. [s]"""

    def write(self, path: Path) -> None:
        """Write the file."""
        head = {"schema": SCHEMA, "acted_s": self.acted_s, "boundary_s": self.boundary_s}
        arrays: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]] = {
            "checkpoint": np.frombuffer(json.dumps(head).encode(), np.uint8)
        }
        for name, values in self.state.items():
            arrays[_STATE + name] = np.asarray(values)
        for key, data in self.messages.items():
            arrays[_WIRE + key] = np.frombuffer(data, np.uint8)
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        write_whole(path, buffer.getvalue())

    @classmethod
    def read(cls, path: Path, boundary_s: SimTime) -> Checkpoint:
        """Checkpoint of a file.

        Raises
        ------
        MissingInputError
            If the file is not there, or is of another version or another boundary.
        """
        if not path.exists():
            raise MissingInputError(f"the saved state {path} is missing; run the study from its start")
        with np.load(path, allow_pickle=False) as arrays:
            head = json.loads(arrays["checkpoint"].tobytes())
            if head["schema"] != SCHEMA or head["boundary_s"] != boundary_s:
                raise MissingInputError(
                    f"{path} is of form {head['schema']} at {head['boundary_s']} s, wanted is form {SCHEMA} "
                    f"at {boundary_s} s; run the study from its start"
                )
            return cls(
                state={n.removeprefix(_STATE): arrays[n] for n in arrays.files if n.startswith(_STATE)},
                messages={
                    n.removeprefix(_WIRE): arrays[n].tobytes() for n in arrays.files if n.startswith(_WIRE)
                },
                acted_s=head["acted_s"],
                boundary_s=boundary_s,
            )
