"""The terms that the operator chose, from the first moment of a start on.

Retention would apply them in the night. A start that sees other terms than the last one does not
wait for that: what they forbid goes before anything is served or printed. The choice is noted when
all of it is done, so that a start which was killed in between does it again.
"""

import datetime as dt
import logging

from aurastream.operations.retention import note_rules, purge
from aurastream.settings import Settings
from aurastream.store.errors import ArchiveError
from aurastream.store.frames import FrameStore
from aurastream.store.installation import Origin, claim_installation, read_installation

__all__ = ["apply_terms", "note_terms"]

_log = logging.getLogger(__name__)


def apply_terms(store: FrameStore, settings: Settings, now: dt.datetime) -> bool:
    """Take away what the terms in force forbid, if they are others than those of the last start.

    The rules are written where analysts read them in either case. A record that nobody has claimed
    is claimed.

    Parameters
    ----------
    store : FrameStore
        The record.
    settings : Settings
        The installation, with its servers.
    now : datetime
        Aware.

    Returns
    -------
    bool
        Whether the terms are others. Dagster's log still tells what went then: run the job
        ``retention``, and call `note_terms` when it has succeeded.

    Raises
    ------
    SettingsError
        When the record holds data of the other origin.
    """
    found = read_installation(store)
    if found is None or found.policy_mode == settings.policy_mode:
        note_terms(store, settings)
        note_rules(settings, now)
        return False
    try:
        purge(settings, now)
    except ArchiveError as error:
        # What only the operator's limit lets go could not be archived first, and stays for now.
        _log.warning("%s", error)
    finally:
        store.forget_partitions()
    return True


def note_terms(store: FrameStore, settings: Settings) -> None:
    """Note which terms are in force."""
    origin: Origin = "live" if settings.live else "replay"
    claim_installation(store, origin=origin, policy_mode=settings.policy_mode)
