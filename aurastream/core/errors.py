"""The root of every error that AuraStream raises on purpose.

::

    AuraStreamError
    ├── SettingsError            a setting is missing, malformed or contradictory
    ├── InvalidInputError        an algorithm was given a frame it cannot work on
    ├── SourceError              see aurastream.sources.errors
    └── StoreError               see aurastream.store.errors
"""

__all__ = ["AuraStreamError", "InvalidInputError", "SettingsError"]


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
    """An algorithm was handed a frame with missing columns or impossible values."""
