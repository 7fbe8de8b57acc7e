"""The committed data dictionary is the one its tool writes."""

import subprocess
import sys
from pathlib import Path

REPO_ROOT = Path(__file__).resolve().parents[3]
TOOL = REPO_ROOT / "script" / "data-dictionary.py"


def test_the_committed_file_is_current() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(TOOL), "--check"],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPO_ROOT,
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_the_picture_shows_every_rollup_and_mart_with_what_it_is_computed_of() -> None:
    picture = (REPO_ROOT / "docs" / "tables.md").read_text(encoding="utf-8")
    for model in (REPO_ROOT / "dbt_project" / "models" / "marts").glob("*.sql"):
        assert f"    marts_{model.stem} {{" in picture
    assert "    aggregation_intel_daily_metrics {" in picture
    assert "    intelligence_viral_scores ||--o{ marts_top_viral_videos : feeds" in picture
    assert "    aggregation_intel_daily_metrics ||--o{ marts_trending_categories : feeds" in picture
