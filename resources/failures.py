"""Which failures are worth another try."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from aurastream.core.errors import SettingsError
from aurastream.sources.errors import PermanentError

__all__ = ["failing_fast"]


@contextmanager
def failing_fast() -> Iterator[None]:
    """Turn permanent errors into failures that are not retried.

    The same call would fail again until somebody changes something, and each try may cost quota.
    The description keeps the error's message, which says what to change.
    """
    try:
        yield
    except (PermanentError, SettingsError) as error:
        raise dg.Failure(
            description=str(error),
            metadata={"error": type(error).__name__, "fix": error.fix},
            allow_retries=False,
        ) from error
