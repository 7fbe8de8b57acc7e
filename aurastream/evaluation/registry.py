"""Which evaluations there are."""

from collections.abc import Collection
from pathlib import Path
from typing import Final, Protocol

from aurastream.core.errors import InvalidInputError
from aurastream.evaluation.anomalies import evaluate_anomalies
from aurastream.evaluation.language import evaluate_language
from aurastream.evaluation.opportunity import evaluate_opportunity
from aurastream.evaluation.results import EvaluationRow
from aurastream.evaluation.viral import evaluate_viral

__all__ = ["evaluate"]


class _Evaluation(Protocol):
    def __call__(
        self, train: Path, test: Path | None = None, *, countries: Collection[str] = ()
    ) -> list[EvaluationRow]: ...


_KINDS: Final[dict[str, _Evaluation]] = {
    "anomalies": evaluate_anomalies,
    "language": evaluate_language,
    "opportunity": evaluate_opportunity,
    "viral": evaluate_viral,
}


def evaluate(
    kind: str, train: Path, test: Path | None = None, *, countries: Collection[str] = ()
) -> list[EvaluationRow]:
    """Run the evaluation of one kind: see the module of that name for its protocol.

    Raises
    ------
    InvalidInputError
        When the kind is unknown or an archive cannot be used.
    """
    if kind not in _KINDS:
        raise InvalidInputError(
            f"There is no evaluation of {kind!r}.", fix=f"Choose among {', '.join(sorted(_KINDS))}."
        )
    return _KINDS[kind](train, test, countries=countries)
