"""Everything that can go wrong while the installation is run, as one tree.

::

    OperationsError                  AuraStreamError
    ├── HeadError                    a head cannot lead
    │   ├── LeadershipLostError      another head leads now, or the lock's connection is gone
    │   └── PredecessorAliveError    the old leader's connections could not be ended
    ├── StatusError                  the record cannot say who leads
    └── ProcessError                 a supervised process failed
        ├── ProcessNotReadyError     it ended or stayed silent before it was ready
        ├── PortConflictError        its port is served by a process of somebody else
        └── SupervisorRunningError   this data directory already has a supervisor
"""

from aurastream.core.errors import AuraStreamError

__all__ = [
    "HeadError",
    "LeadershipLostError",
    "OperationsError",
    "PortConflictError",
    "PredecessorAliveError",
    "ProcessError",
    "ProcessNotReadyError",
    "StatusError",
    "SupervisorRunningError",
]


class OperationsError(AuraStreamError):
    """The installation could not be run as asked."""


class HeadError(OperationsError):
    """A head cannot do its work."""


class LeadershipLostError(HeadError):
    """Another head leads, or the lock is gone: acting is over."""


class PredecessorAliveError(HeadError):
    """Connections of an earlier leader are still open, so that leading now would be unsafe."""


class StatusError(OperationsError):
    """The record does not say who leads."""


class ProcessError(OperationsError):
    """A supervised process failed."""


class ProcessNotReadyError(ProcessError):
    """A process ended or did not answer before its deadline; the message ends with its log."""


class PortConflictError(ProcessError):
    """A port that one of our processes should serve belongs to another program."""


class SupervisorRunningError(ProcessError):
    """Another supervisor runs on the same data directory."""
