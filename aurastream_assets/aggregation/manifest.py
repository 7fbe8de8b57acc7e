"""Parse the dbt project ahead of time: ``python -m aurastream_assets.aggregation.manifest``.

Set-up and the quality gate run it, so that the first load of the graph reads a file, and an error
in a model is found before anything starts.
"""

import sys

from aurastream.settings import REPO_ROOT
from aurastream_assets.aggregation.project import DbtProjectError, load_manifest, manifest_path

__all__ = ["main"]


def main() -> int:
    """Parse the project unless it was parsed as it is; return 0, or 1 with dbt's message."""
    try:
        manifest = load_manifest()
    except DbtProjectError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    models = sum(node["resource_type"] == "model" for node in manifest["nodes"].values())
    path = manifest_path()
    shown = path.relative_to(REPO_ROOT) if path.is_relative_to(REPO_ROOT) else path
    sys.stdout.write(f"{shown}: {models} models\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
