"""Computing the past again by command: equal rows, what changed, and going on after a kill."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from aurastream.settings import REPO_ROOT
from tests.e2e.product import Product, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1_200)]

TO = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
FROM = TO - timedelta(hours=4)
RANGE = ("--from", f"{FROM:%Y-%m-%dT%H:%M:%S}", "--to", f"{TO:%Y-%m-%dT%H:%M:%S}")


def _value(product: Product, query: str, *parameters: object) -> object:
    with psycopg.connect(product.endpoints["postgres_url"], autocommit=True) as connection:
        row = connection.execute(query, parameters).fetchone()
        return None if row is None else row[0]


def test_computing_again_what_did_not_change_changes_no_row(product: Product) -> None:
    (done,) = [product.answer("backfill", *RANGE, "--again")]

    assert done["partitions"] > 8
    changes = {c["table"]: c for c in done["changes"]}
    assert {"intelligence.viral_scores", "aggregation.intel_hourly_metrics"} <= changes.keys()
    assert [c for c in done["changes"] if c["changed"] or c["new"] or c["gone"]] == []
    assert changes["intelligence.viral_scores"]["rows_before"] > 0


def test_what_changed_is_reported_window_by_window(product: Product) -> None:
    with psycopg.connect(product.endpoints["postgres_url"], autocommit=True) as connection:
        connection.execute(
            "update intelligence.viral_scores set viral_score = 101 where window_start = %s",
            (FROM,),
        )

    done = product.answer("backfill", *RANGE, "--again", "--asset", "intelligence/viral_scores")

    (change,) = done["changes"]
    assert (change["table"], change["windows"], change["changed"]) == (
        "intelligence.viral_scores",
        8,
        1,
    )
    assert datetime.fromisoformat(change["examples"][0]) == FROM


def test_a_killed_backfill_goes_on_where_it_was(product: Product) -> None:
    command = [sys.executable, "-m", "aurastream.cli", "backfill", *RANGE, "--again", "--json"]
    environment = {**os.environ, "AURASTREAM_DATA_DIR": str(product.data)}
    asked = subprocess.Popen(
        command, cwd=REPO_ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    unfinished = "select backfill_id::text from maintenance.backfills where status = 'RUNNING'"
    launched = (
        "select count(*) from maintenance.backfill_steps s join maintenance.backfills b "
        "using (backfill_id) where b.status = 'RUNNING' and s.run_id is not null"
    )
    wait_until(lambda: _value(product, launched), within=120, what=lambda: "no step was launched")
    asked.send_signal(signal.SIGKILL)
    asked.communicate()
    backfill_id = _value(product, unfinished)

    done = product.answer("backfill", *RANGE, "--again")

    assert (done["backfill_id"], done["resumed"]) == (backfill_id, True)
    assert [c for c in done["changes"] if c["changed"] or c["new"] or c["gone"]] == []
    assert _value(product, unfinished) is None


def test_a_stretch_that_nothing_can_be_computed_of_is_refused(product: Product) -> None:
    before = product.command("backfill", "--from", "2020-01-01", "--to", "2020-01-03")
    assert before.returncode == 0, before.stderr
    assert "Nothing was collected there to compute from: the record begins at 20" in before.stdout

    today = datetime.now(UTC).strftime("%Y-%m-%d")
    daily = ("--asset", "aggregation/intel_daily_metrics", "--again")
    open_day = product.command("backfill", "--from", today, *daily)
    assert "Nothing there is over yet" in open_day.stdout

    refused = product.command("backfill", *RANGE, "--asset", "collection/youtube_trending")

    assert refused.returncode == 1
    assert "No job computes collection/youtube_trending" in refused.stderr


def test_the_retention_s_rules_and_plan_are_told(product: Product) -> None:
    plan = product.answer("retention", "--plan")
    rules = product.answer("retention")

    assert isinstance(plan, list)
    assert {"table", "reason", "decided_by"} <= rules[0].keys()
    once = product.command("diff", "intelligence/viral_scores", "--before", "0")
    assert once.returncode == 1
    assert "Versions that were kept" in once.stderr
