"""Replayed and live data never meet in one record, whatever interrupts the first start."""

import threading

import psycopg
import pytest

from aurastream.core.errors import SettingsError
from aurastream.store.frames import FrameStore
from aurastream.store.installation import claim_installation, read_installation, require_origin
from aurastream.store.urls import reader_url


def test_a_fresh_record_says_nothing_of_itself(store: FrameStore) -> None:
    assert read_installation(store) is None


def test_the_first_claim_decides_and_the_same_again_changes_nothing(store: FrameStore) -> None:
    first = claim_installation(store, origin="replay", policy_mode=None)

    # A start that was killed before its first crawl left just this behind.
    assert claim_installation(store, origin="replay", policy_mode=None) == first
    assert (first.origin, first.policy_mode) == ("replay", None)


@pytest.mark.parametrize(
    ("held", "added", "words"),
    [
        ("replay", "live", "holds replayed data, and this start would add live data"),
        ("live", "replay", "holds live data, and this start would add replayed data"),
    ],
)
def test_the_other_origin_is_refused_with_the_way_out_and_leaves_no_trace(
    store: FrameStore, held: str, added: str, words: str
) -> None:
    before = claim_installation(store, origin=held, policy_mode="amended")  # type: ignore[arg-type] # one of both

    with pytest.raises(SettingsError, match=words) as raised:
        claim_installation(store, origin=added, policy_mode="strict")  # type: ignore[arg-type] # one of both

    assert "AURASTREAM_DATA_DIR" in str(raised.value)
    assert read_installation(store) == before


def test_a_start_that_was_refused_before_it_claimed_leaves_the_record_to_others(
    store: FrameStore,
) -> None:
    require_origin(store, "live")
    assert read_installation(store) is None

    claim_installation(store, origin="replay", policy_mode=None)
    with pytest.raises(SettingsError, match="holds replayed data"):
        require_origin(store, "live")


def test_other_terms_are_noted_and_the_day_of_creation_stays(store: FrameStore) -> None:
    before = claim_installation(store, origin="live", policy_mode="strict")

    after = claim_installation(store, origin="live", policy_mode="amended")

    assert (after.policy_mode, after.created_at) == ("amended", before.created_at)


def test_of_two_claims_at_once_one_wins(store: FrameStore) -> None:
    barrier = threading.Barrier(2, timeout=60)
    won: list[str] = []
    refused: list[str] = []

    def claim(origin: str) -> None:
        barrier.wait()
        try:
            claim_installation(store, origin=origin, policy_mode=None)  # type: ignore[arg-type] # one of both
        except SettingsError:
            refused.append(origin)
        else:
            won.append(origin)

    threads = [threading.Thread(target=claim, args=[origin]) for origin in ("replay", "live")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = read_installation(store)
    assert found is not None
    assert won == [found.origin]
    assert len(refused) == 1


def test_an_analyst_may_read_what_the_record_is(store: FrameStore) -> None:
    claim_installation(store, origin="replay", policy_mode=None)
    with psycopg.connect(reader_url(store.url)) as reader:
        row = reader.execute("select origin from operations.installation").fetchone()
    assert row == ("replay",)
