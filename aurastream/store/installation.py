"""What an installation is: a record of replayed data or of live data, from its first crawl on.

No score could tell replayed rows from live ones, so they never meet in one record. Which kind a
record holds is written down before the first of them arrives; that a start was killed in between
changes nothing.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

import pandas as pd

from aurastream.core.errors import SettingsError
from aurastream.store.errors import StoreError
from aurastream.store.frames import FrameStore

__all__ = ["Installation", "Origin", "claim_installation", "read_installation", "require_origin"]

Origin = Literal["replay", "live"]

_NAMES: Final = {"replay": "replayed", "live": "live"}


@dataclass(frozen=True, slots=True)
class Installation:
    """The one row of ``operations.installation``.

    Parameters
    ----------
    origin : {"replay", "live"}
        Where every row of the record comes from; never changes.
    policy_mode : str or None
        The terms that the operator chose last; None in a replay without a choice.
    created_at : datetime.datetime
        When the record was claimed.
    """

    origin: str
    policy_mode: str | None
    created_at: datetime


def read_installation(store: FrameStore) -> Installation | None:
    """Return what the record says of itself; None before it was claimed."""
    found = store.query("select origin, policy_mode, created_at from operations.installation")
    if found.empty:
        return None
    row = found.iloc[0]
    return Installation(
        origin=str(row["origin"]),
        policy_mode=None if pd.isna(row["policy_mode"]) else str(row["policy_mode"]),
        created_at=row["created_at"].to_pydatetime(),
    )


def claim_installation(
    store: FrameStore, *, origin: Origin, policy_mode: str | None
) -> Installation:
    """Make the record one of replayed or of live data, or see that it is one already.

    The first claim decides, also between two that come at once. A later one may choose other terms,
    which are then noted.

    Raises
    ------
    SettingsError
        When the record holds data of the other origin.
    """
    found = read_installation(store)
    if found is None or (found.origin == origin and found.policy_mode != policy_mode):
        store.execute(
            "insert into operations.installation as it (singleton, origin, policy_mode, created_at)"
            " values (true, %(origin)s, %(mode)s, now()) on conflict (singleton)"
            " do update set policy_mode = excluded.policy_mode where it.origin = excluded.origin",
            {"origin": origin, "mode": policy_mode},
        )
        found = read_installation(store)
    if found is None:  # pragma: no cover # nobody deletes the row
        raise StoreError("operations.installation has lost its row while it was written.")
    _refuse_other(found, origin)
    return found


def require_origin(store: FrameStore, origin: Origin) -> None:
    """See that a record may be added to, without claiming it.

    Raises
    ------
    SettingsError
        When the record holds data of the other origin.
    """
    found = read_installation(store)
    if found is not None:
        _refuse_other(found, origin)


def _refuse_other(found: Installation, origin: Origin) -> None:
    if found.origin != origin:
        held, added = _NAMES[found.origin], _NAMES[origin]
        raise SettingsError(
            f"This record holds {held} data, and this start would add {added} data.",
            fix="Set AURASTREAM_DATA_DIR to an empty directory, or use another database.",
        )
