"""What is predicted, and by which version: constants that cost nothing to import."""

from typing import Final

__all__ = ["LABEL", "MODEL_VERSION"]

LABEL: Final = "T2"
"""The outcome that the graph predicts; see `aurastream.evaluation.labels`."""

MODEL_VERSION: Final = "2"
"""Grows with every change of features, words or trees."""
