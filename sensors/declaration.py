"""How a sensor is declared: what it is, and the environments it exists in.

As for schedules there is no default environment: where a sensor is not named, it does not exist.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import dagster as dg

from aurastream.settings import Environment

__all__ = ["DeclaredSensor", "sensors_for"]


@dataclass(frozen=True, slots=True)
class DeclaredSensor:
    """A sensor and the environments it exists in."""

    definition: dg.SensorDefinition
    environments: frozenset[Environment]


def sensors_for(
    declared: Iterable[DeclaredSensor], environment: Environment
) -> list[dg.SensorDefinition]:
    """Return the sensors that exist in an environment."""
    return [d.definition for d in declared if environment in d.environments]
