"""The aggregation layer has some definitions in SQL; they give what the algorithms give."""

import re
from pathlib import Path

import jinja2
import numpy as np
import pandas as pd
import pytest

from aurastream.core.formats import (
    DURATION_BUCKETS,
    SHORT_THRESHOLD,
    SHORTS_RULE_VERSION,
    FormatParams,
    duration_buckets,
    short_likelihood,
)
from aurastream.core.languages import language_diversity, primary_languages
from aurastream.store.frames import FrameStore

ROOT = Path(__file__).resolve().parents[3]
MACROS = ROOT / "dbt_project/macros/video_format.sql"
DAILY = ROOT / "dbt_project/models/aggregation/intel_daily_metrics.sql"
HOURLY = ROOT / "dbt_project/models/aggregation/intel_hourly_metrics.sql"


@pytest.fixture(scope="module")
def macros() -> object:
    return jinja2.Environment(autoescape=False).from_string(MACROS.read_text()).module  # noqa: S701 # SQL, not HTML


@pytest.fixture
def videos() -> pd.DataFrame:
    lengths = [None, 0, 1, 59, 60, 61, 179, 180, 181, 479, 480, 899, 900, 1799, 1800, 1801, 40_000]
    days = [None, "2024-10-14T23:59:59Z", "2024-10-15T00:00:00Z", "2026-01-01T00:00:00Z"]
    return pd.DataFrame(
        [(s, day) for s in lengths for day in days], columns=["duration_s", "published_at"]
    )


def test_lengths_mean_the_same_in_sql(
    macros: object, videos: pd.DataFrame, store: FrameStore
) -> None:
    found = store.query(
        f"select {macros.short_likelihood('d', 'p')} as likelihood,"
        f" {macros.duration_bucket('d')} as bucket"
        " from unnest(%(d)s::integer[], %(p)s::timestamptz[])"
        " with ordinality as v (d, p, n) order by n",
        {
            "d": [None if pd.isna(v) else int(v) for v in videos["duration_s"]],
            "p": [None if pd.isna(v) else v for v in videos["published_at"]],
        },
    )
    published = pd.DatetimeIndex(pd.to_datetime(videos["published_at"], utc=True))
    np.testing.assert_array_equal(
        short_likelihood(videos["duration_s"].to_numpy("float64"), published),
        found["likelihood"].to_numpy("float64"),
    )
    expected = duration_buckets(videos["duration_s"].to_numpy("float64")).tolist()
    assert [None if pd.isna(v) else v for v in found["bucket"]] == expected


def test_constants_are_the_same_in_sql(macros: object) -> None:
    assert macros.shorts_rule_version().strip() == f"'{SHORTS_RULE_VERSION}'"
    assert float(macros.short_threshold()) == SHORT_THRESHOLD
    assert tuple(re.findall(r"'([^']+)'", macros.duration_buckets())) == DURATION_BUCKETS
    (sample,) = re.findall(r"having count\(views\) >= (\d+)", HOURLY.read_text())
    assert int(sample) == FormatParams().min_sample


def test_language_tags_mean_the_same_in_sql(macros: object, store: FrameStore) -> None:
    tags = ["en", "en-US", "pt_BR", "ZH-Hant-TW", "zxx", "und", "", "-", "es-419", None]
    found = store.query(
        f"select {macros.primary_language('t')} as language"
        " from unnest(%(t)s::text[]) with ordinality as v (t, n) order by n",
        {"t": tags},
    )
    assert found["language"].tolist() == primary_languages(tags).tolist()


@pytest.mark.parametrize("counts", [[1], [3, 1], [5, 5], [1, 2, 3, 4, 5, 6, 7]])
def test_diversity_means_the_same_in_sql(counts: list[int], store: FrameStore) -> None:
    (formula,) = re.findall(
        r"(case\s+when count\(\*\) = 1 then 0.*?precision)", DAILY.read_text(), re.DOTALL
    )
    found = store.query(
        f"select {formula} as diversity from (select v / sum(v) over () as share"
        " from unnest(%(v)s::bigint[]) as v) as shares",
        {"v": counts},
    )
    assert found["diversity"].item() == pytest.approx(language_diversity(counts), abs=1e-12)
