"""Whether two crawls of the charts are from one world."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurastream.core.continuity import Overlap, chart_overlap
from aurastream.core.errors import InvalidInputError

COLUMNS = ["chart", "region", "video_id"]
CRAWLS = st.sets(
    st.tuples(st.sampled_from(["music", "gaming"]), st.sampled_from(["US", "JP"]), st.text("abc")),
    max_size=20,
)


def crawl(rows: object) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=COLUMNS, dtype="str")


@given(now=CRAWLS, before=CRAWLS)
def test_lists_are_compared_as_sets_are(
    now: set[tuple[str, str, str]], before: set[tuple[str, str, str]]
) -> None:
    lists = {row[:2] for row in now} & {row[:2] for row in before}
    kept = {row[:2] for row in now & before}
    found = chart_overlap(crawl(sorted(now)), crawl(sorted(before)))
    assert found == (len(lists), len(kept), len({row[:2] for row in before}))
    assert found == chart_overlap(crawl(sorted(now, reverse=True)), crawl(sorted(before)))
    assert found[:2] == chart_overlap(crawl(sorted(before)), crawl(sorted(now)))[:2]


@given(lists=st.integers(0, 200), kept=st.integers(0, 200), known=st.integers(0, 400))
def test_most_lists_decide_unless_they_are_few_of_all(lists: int, kept: int, known: int) -> None:
    kept, known = min(kept, lists), max(known, lists)
    decided = lists - kept > kept and lists / known >= 0.25 if known else False
    assert Overlap(lists, kept, known).starts_over == decided


def test_a_crawl_without_its_columns_is_refused() -> None:
    whole = crawl([("music", "US", "a")])
    with pytest.raises(InvalidInputError, match="region"):
        chart_overlap(whole.drop(columns="region"), whole)
    with pytest.raises(InvalidInputError, match="video_id"):
        chart_overlap(whole, whole.drop(columns="video_id"))
