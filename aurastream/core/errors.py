"""The root of every error that AuraStream raises on purpose.

::

    AuraStreamError
    ├── SettingsError            a setting is missing, malformed or contradictory
    ├── InvalidInputError        an algorithm was given a frame it cannot work on
    ├── SourceError              see aurastream.sources.errors
    └── StoreError               see aurastream.store.errors
"""

from collections.abc import Hashable, Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["AuraStreamError", "InvalidInputError", "SettingsError"]

_NONE: Final[Mapping[Hashable, str]] = MappingProxyType({})


class AuraStreamError(Exception):
    """Something went wrong in a way the operator can act on.

    Parameters
    ----------
    message : str
        What happened, in one sentence.
    fix : str, optional
        What to do about it, in one sentence; appended to the message.
    """

    def __init__(self, message: str, *, fix: str = "") -> None:
        super().__init__(f"{message} {fix}".strip())
        self.message = message
        self.fix = fix


class SettingsError(AuraStreamError):
    """A setting is missing, malformed or contradicts another one."""


class InvalidInputError(AuraStreamError, ValueError):
    """An algorithm was handed a frame with missing columns or impossible values.

    Parameters
    ----------
    message, fix : str
        As for every error.
    rows : Mapping, optional
        Rows that are impossible by what they hold themselves: the label of each in the index of the
        frame that was looked at, and what is wrong with it. Empty where no single row is to blame.
    rivals : Mapping, optional
        Rows of which only one can be: the label of each, and what they share.
    """

    def __init__(
        self,
        message: str,
        *,
        fix: str = "",
        rows: Mapping[Hashable, str] = _NONE,
        rivals: Mapping[Hashable, Hashable] = _NONE,
    ) -> None:
        super().__init__(message, fix=fix)
        self.rows = {label: f"{said} {fix}".strip() for label, said in rows.items()}
        self.rivals = dict(rivals)
