"""The composition root: every asset, check, job, schedule, sensor and resource is wired here.

Nothing else belongs here: no asset, no policy, no decision. Loading it reaches no server.
"""

import gc
from collections.abc import Mapping
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Final

import dagster as dg

import resources
import schedules
import sensors
from aurastream.core.errors import SettingsError
from aurastream.operations.policy import limits_of
from aurastream.settings import REPO_ROOT, Environment, Settings
from aurastream_assets import aggregation, collection, intelligence, maintenance, reporting
from aurastream_assets.jobs import JOBS
from aurastream_assets.policies import apply_policies
from aurastream_assets.terms import apply_terms
from resources.frame_io import frame_io
from resources.platforms import Platforms
from resources.store import Redis, Store
from schedules.collection import COLLECTION_SCHEDULES
from schedules.declaration import schedules_for
from schedules.maintenance import MAINTENANCE_SCHEDULES
from schedules.rollups import ROLLUP_SCHEDULES
from sensors import late_data, missed_windows
from sensors.declaration import sensors_for

__all__ = ["build_defs", "defs"]

_STAGES: Final = (collection, intelligence, aggregation, reporting, maintenance)


def build_defs(
    *,
    environment: Environment | None = None,
    resource_overrides: Mapping[str, Any] | None = None,
) -> dg.Definitions:
    """Wire a fresh graph.

    Parameters
    ----------
    environment : Environment, optional
        Which schedules and sensors exist; the settings' environment by default.
    resource_overrides : mapping of str to resource, optional
        Resources that replace the installation's own, by key.

    Raises
    ------
    SettingsError
        When the settings are not usable, or another package shadows one of ours.
    """
    _assert_origins()
    settings = Settings.from_env()
    defined: dict[str, Any] = {
        "store": Store(),
        "redis": Redis(),
        "platforms": Platforms(),
        "frame_io": frame_io,
        **(resource_overrides or {}),
    }
    checks = [c for stage in _STAGES for c in dg.load_asset_checks_from_package_module(stage)]
    allowed = apply_terms(
        limits_of(settings),
        assets=list(
            dg.map_asset_specs(partial(apply_policies, platforms=settings.platforms), _assets())
        ),
        checks=checks,
        jobs=JOBS,
        schedules=schedules_for(
            (*COLLECTION_SCHEDULES, *ROLLUP_SCHEDULES, *MAINTENANCE_SCHEDULES),
            environment or settings.environment,
            settings.platforms,
        ),
        sensors=sensors_for(
            (*late_data.SENSORS, *missed_windows.SENSORS), environment or settings.environment
        ),
    )
    return dg.Definitions(
        assets=allowed.assets,
        asset_checks=allowed.checks,
        jobs=allowed.jobs,
        schedules=allowed.schedules,
        sensors=allowed.sensors,
        resources=defined,
        executor=dg.in_process_executor,
    )


def _assets() -> list[dg.AssetsDefinition | dg.AssetSpec]:
    loaded = (dg.load_assets_from_package_module(s, include_specs=True) for s in _STAGES)
    return [a for a in chain(*loaded) if isinstance(a, dg.AssetsDefinition | dg.AssetSpec)]


def _assert_origins() -> None:
    # A plugin really may drop a `resources` folder into site-packages; ours must win, or nothing
    # may load.
    for package in (resources, schedules, sensors):
        origin = Path(str(package.__file__)).resolve()
        if not origin.is_relative_to(REPO_ROOT):
            raise SettingsError(
                f"The package {package.__name__} was found at {origin}, outside of this project.",
                fix="Start Dagster in the repository root, as workspace.yaml does.",
            )


defs = build_defs()
# What was loaded stays: no run looks through it for garbage.
gc.freeze()
