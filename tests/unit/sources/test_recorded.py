"""Every recorded answer, error and quirk of the real platforms, if they are at hand."""

import json
from pathlib import Path
from typing import Any

import pytest

from aurastream.settings import REPO_ROOT
from aurastream.sources import errors
from aurastream.sources.decode import DecodedFile, decode_stored
from aurastream.sources.ports import Platform
from aurastream.sources.wire.faults import twitch_fault

DATA = REPO_ROOT.parent / "shared" / "data"
YOUTUBE = sorted((DATA / "youtube_payloads").glob("**/*.json"))
CASSETTES = sorted((DATA / "twitch_payloads").glob("*/*.json"))
QUIRKS = DATA / "twitch_payloads" / "quirks.json"
UNSUPPORTED = {
    "youtube#playlistItemListResponse",
    "youtube#i18nLanguageListResponse",
    "youtube#i18nRegionListResponse",
    "youtube#subscriptionListResponse",
}
ERRORS = {
    "API_KEY_INVALID_400_new_style.json": errors.KeyInvalidError,
    "backendError_503.json": errors.TransientError,
    "invalidRegionCode_400.json": errors.ConfigError,
    "keyInvalid_400_old_style.json": errors.KeyInvalidError,
    "missingRequiredParameter_400.json": errors.ConfigError,
    "quotaExceeded_403.json": errors.QuotaExhaustedError,
    "error_keyInvalid_400_old_style.json": errors.KeyInvalidError,
}

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="the recorded answers are not beside this checkout"
)


def _decode(platform: Platform, path: Path) -> tuple[Any, DecodedFile]:
    body = path.read_bytes()
    return json.loads(body), decode_stored(platform, body)


@pytest.mark.parametrize("path", YOUTUBE, ids=lambda path: path.stem)
def test_a_recorded_youtube_answer_loses_nothing(path: Path) -> None:
    recorded, decoded = _decode("youtube", path)
    if path.name in ERRORS:
        assert decoded.kind == "error"
        assert decoded.error_class == ERRORS[path.name].__name__
        assert "<" not in decoded.message
        return
    expected = len(recorded["items"]) if "items" in recorded else 1
    assert decoded.items + len(decoded.rejected) == expected
    if recorded["kind"] in UNSUPPORTED:
        assert decoded.kind == "unsupported"
        assert all("does not collect" in item.reason for item in decoded.rejected)
    else:
        assert decoded.rejected == ()
        assert decoded.error_class is None


@pytest.mark.parametrize("path", CASSETTES, ids=lambda path: path.stem)
def test_a_recorded_twitch_exchange_loses_nothing(path: Path) -> None:
    recorded, decoded = _decode("twitch", path)
    assert len(decoded.exchanges) == len(recorded)
    for exchange, entry in zip(recorded, decoded.exchanges, strict=True):
        body, status = exchange["response"]["body"], exchange["response"]["status"]
        if status == 401:
            assert entry.error_class == "KeyInvalidError"
        elif "data" in body:
            assert (entry.items, entry.rejected) == (len(body["data"]), ())
        else:
            assert entry.kind in ("token", "validation")
    assert decoded.items == len(recorded[-1]["response"]["body"]["data"])


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("clips_2024_vod_offset_null.json", "clips"),
        ("videos_2023_muted_null.json", "twitch_videos"),
    ],
)
def test_recorded_items_with_nulls_are_understood(name: str, kind: str) -> None:
    recorded, decoded = _decode("twitch", DATA / "twitch_payloads" / name)
    assert (decoded.kind, decoded.items) == (kind, len(recorded["data"]))
    assert decoded.rejected == ()


def test_recorded_error_bodies_of_helix_have_their_class() -> None:
    quirks = {quirk["id"]: quirk for quirk in json.loads(QUIRKS.read_bytes())["quirks"]}

    def fault(name: str) -> errors.SourceError:
        quirk = quirks[name]
        return twitch_fault(quirk["status"], {}, json.dumps(quirk["body"]).encode(), is_batch=True)

    assert type(fault("invalid_cursor_400_mid_crawl")) is errors.InvalidCursorError
    empty = fault("channels_500_empty_message")
    assert isinstance(empty, errors.TransientError)
    assert empty.is_data_dependent
    for body in quirks["401_bodies"]["bodies"]:
        found = twitch_fault(body["status"], {}, json.dumps(body).encode())
        assert type(found) is errors.KeyInvalidError


def test_a_file_of_notes_is_no_answer() -> None:
    decoded = decode_stored("twitch", QUIRKS.read_bytes())
    assert decoded.kind == "unreadable"
    assert len(decoded.rejected) == 1
