"""Every error that Tandem raises on purpose, as one tree.

::

    TandemError
    ├── ConfigError            the study cannot be run as written
    │   └── WiringError        ports and links do not fit each other
    ├── CodecError             bytes on the wire that are not the message expected
    ├── MissingInputError      a message, series or file that should be there is not
    ├── ModelError             an engine gave no usable answer
    │   ├── DivergedError      a power flow did not converge
    │   │   └── CollapsedError its voltages are below what loads can be served at
    │   └── InfeasibleError    a program has no (optimal) solution
    └── TransportError         the federation's time or wires broke
        ├── PeerLostError      another federate ended the run
        └── NotConvergedError  the T-D fixed point missed its tolerance

A message says what happened, where (federate, time, element) and what to do.
"""

from __future__ import annotations


class TandemError(Exception):
    """Root of every error that Tandem raises on purpose."""


class ConfigError(TandemError):
    """The study cannot be run as written."""


class WiringError(ConfigError):
    """Ports and links do not fit each other."""


class CodecError(TandemError):
    """Bytes on the wire are not the message expected."""


class MissingInputError(TandemError):
    """A message, series or file that should be there is not."""


class ModelError(TandemError):
    """An engine gave no usable answer."""


class DivergedError(ModelError):
    """A power flow did not converge."""


class CollapsedError(DivergedError):
    """A power flow's voltages are below what loads can be served at."""


class InfeasibleError(ModelError):
    """A program has no optimal solution."""


class TransportError(TandemError):
    """The federation's time or wires broke."""


class PeerLostError(TransportError):
    """Another federate ended the run."""


class NotConvergedError(TransportError):
    """The transmission-distribution fixed point missed its tolerance."""
