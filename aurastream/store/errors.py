"""Everything that can go wrong in the store, as one tree.

::

    StoreError                       AuraStreamError
    ├── StoreUnavailableError        the server cannot be reached; worth another try
    │   └── StoreBusyError           it refused for now: no room, a deadlock, a lock, a shutdown
    ├── FrameMismatchError           a frame and its table disagree about columns or values
    ├── SpoolError                   the local spool cannot take or give back a write
    │   └── SpoolBlockedError        it cannot be read now; what waits there stays in its place
    ├── QuotaSpentError              the day's quota units are spent (aurastream.store.ledger)
    ├── DocumentError                a hot document cannot be built (aurastream.store.documents)
    ├── ArchiveError                 the Parquet archive cannot be read or written
    ├── MigrationError               the schema cannot be brought up to date
    └── EmbeddedServerError          an embedded server cannot run
        ├── DataDirectoryError       its directory is read-only, foreign or damaged
        ├── DiskFullError            there is no room left
        ├── PortTakenError           the requested port belongs to another program
        └── AlreadyRunningError      another process runs a server on the same directory
"""

from aurastream.core.errors import AuraStreamError

__all__ = [
    "AlreadyRunningError",
    "ArchiveError",
    "DataDirectoryError",
    "DiskFullError",
    "EmbeddedServerError",
    "FrameMismatchError",
    "MigrationError",
    "PortTakenError",
    "SpoolBlockedError",
    "SpoolError",
    "StoreBusyError",
    "StoreError",
    "StoreUnavailableError",
]


class StoreError(AuraStreamError):
    """The record or the hot store could not do what was asked."""


class StoreUnavailableError(StoreError):
    """The server did not answer; the same call may succeed later."""


class StoreBusyError(StoreUnavailableError):
    """The server refused for a reason that passes: no room, a deadlock, a lock, a shutdown."""


class FrameMismatchError(StoreError):
    """A frame and its table disagree about columns or values; the message names them."""


class SpoolError(StoreError):
    """The local spool cannot take a write or give it back."""


class SpoolBlockedError(SpoolError):
    """The local spool cannot be read or changed now; what waits there stays in its place."""


class ArchiveError(StoreError):
    """The Parquet archive could not be read or written, or is not what its manifest says."""


class MigrationError(StoreError):
    """The database schema could not be brought up to date."""


class EmbeddedServerError(StoreError):
    """An embedded server could not be started or stopped."""


class DataDirectoryError(EmbeddedServerError):
    """The data directory is read-only, belongs to somebody else or is damaged."""


class DiskFullError(EmbeddedServerError):
    """There is no room left on the device of the data directory."""


class PortTakenError(EmbeddedServerError):
    """The requested port belongs to another program."""


class AlreadyRunningError(EmbeddedServerError):
    """Another process already runs a server on this data directory."""
