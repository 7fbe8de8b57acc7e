"""Which failures are worth another try."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from aurastream.core.errors import AuraStreamError
from aurastream.sources.errors import RetryableError
from aurastream.store.errors import StoreUnavailableError

__all__ = ["failing_fast"]


@contextmanager
def failing_fast() -> Iterator[None]:
    """Let errors that may pass be retried; turn all others into failures that are not.

    A permanent error fails again until somebody changes something, and each try may cost quota; a
    mistake of ours is no better the fourth time. The description keeps the error's message, which
    says what to change.
    """
    try:
        yield
    except (RetryableError, StoreUnavailableError, dg.Failure, dg.RetryRequested):
        raise
    except Exception as error:
        raise dg.Failure(
            description=str(error) if isinstance(error, AuraStreamError) else repr(error),
            metadata={"error": type(error).__name__, "fix": getattr(error, "fix", "")},
            allow_retries=False,
        ) from error
