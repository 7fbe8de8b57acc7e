"""One row per picture: the same for the same bytes, whoever looks beside it."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from aurastream.core.thumbnails import (
    THUMBNAIL_SCHEMA,
    ThumbnailFeatures,
    describe_thumbnail,
    features_frame,
)
from aurastream.core.thumbnails_decode import RejectionReason, ThumbnailRejectedError
from aurastream.core.thumbnails_layout import FIELDS
from aurastream.replay.images import paint
from aurastream.store.columns import to_arrow
from aurastream.store.tables import metadata
from tests.unit.thumbnails.pictures import animation, faces_on, file_of, waves, words


def thumbnail(seed: int) -> bytes:
    picture = faces_on(waves(seed, (1280, 720)), [(120, 160, 380)])
    words("A GOLDEN TITLE", 110, (60, 580), picture)
    return file_of(picture, "JPEG", quality=85)


def test_a_row_tells_what_was_drawn() -> None:
    found = describe_thumbnail(thumbnail(1))

    assert (found.width, found.height, found.image_format) == (1280, 720, "JPEG")
    assert found.face_count == 1
    assert found.face_field in FIELDS
    assert found.largest_face_share == pytest.approx(380 * 380 / (1280 * 720), rel=0.35)
    assert found.text_line_count == 1
    assert found.text_field == "bottom"
    assert found.palette[0][0] == found.dominant_colour
    assert found.text is None
    assert found.vision_provider == "local"


def test_the_columns_are_those_of_the_schema_and_the_table() -> None:
    frame = features_frame({"v": describe_thumbnail(thumbnail(2))})
    table = metadata.tables["intelligence.thumbnail_features"]
    beside = {"thumbnail_url", "first_seen_at", "checked_at", "etag"}

    assert {f.name for f in fields(ThumbnailFeatures)} == set(THUMBNAIL_SCHEMA)
    assert {c.name for c in table.columns} == {"video_id", *THUMBNAIL_SCHEMA, *beside}
    at = pd.Timestamp("2026-11-21T12:00Z").as_unit("us")
    whole = frame.assign(thumbnail_url="u", first_seen_at=at, checked_at=at, etag=None)
    assert to_arrow(table, whole).num_rows == 1


def test_a_frame_of_nothing_has_the_same_columns() -> None:
    one = features_frame({"v": describe_thumbnail(thumbnail(2))})

    assert {c: str(t) for c, t in features_frame({}).dtypes.items()} == {
        c: str(t) for c, t in one.dtypes.items()
    }


def test_any_number_of_threads_and_any_order_give_the_same_rows() -> None:
    files = [thumbnail(seed) for seed in range(6)]
    alone = [describe_thumbnail(data) for data in files]

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(describe_thumbnail, (files * 2)[::-1]))

    assert together == (alone * 2)[::-1]


def test_what_is_broken_changes_nothing_for_the_others() -> None:
    good = thumbnail(3)
    alone = describe_thumbnail(good)
    broken = [b"", b"<html>", good[:2_000], animation()[:40]]
    seen: list[ThumbnailFeatures | RejectionReason] = []
    for data in [*broken, good, *broken]:
        try:
            seen.append(describe_thumbnail(data))
        except ThumbnailRejectedError as error:
            seen.append(error.reason)

    assert [s for s in seen if isinstance(s, ThumbnailFeatures)] == [alone]


def test_golden_figures_of_the_pictures_of_the_archive() -> None:
    found = describe_thumbnail(paint("26BYrcgLWR0", 1280, 720))

    assert found.dominant_colour == "#78aaa9"
    assert found.colour_name == "cyan"
    assert found.perceptual_hash == "2dd2d2ad25d2252d"
    assert found.focus_field == "bottom"
    assert found.entropy_bits == pytest.approx(6.33204, abs=1e-4)
    assert found.colourfulness == pytest.approx(83.8606, abs=1e-3)
    assert (found.brightness, found.contrast, found.saturation) == pytest.approx(
        (0.556663, 0.147678, 0.447791), abs=1e-5
    )


def test_round_shapes_are_no_faces_and_bars_no_words() -> None:
    found = [describe_thumbnail(paint(f"video-{n}", 640, 360)) for n in range(60)]

    assert np.mean([f.face_count > 0 for f in found]) <= 0.05
    assert np.mean([f.text_line_count > 0 for f in found]) <= 0.05


SIDES = st.one_of(st.integers(1, 64), st.integers(1, 9_000))
KINDS = {
    "1": "PNG",
    "L": "PNG",
    "LA": "PNG",
    "P": "GIF",
    "RGB": "WEBP",
    "RGBA": "PNG",
    "CMYK": "JPEG",
    "I;16": "PNG",
    "F": "TIFF",
}


def picture(width: int, height: int, mode: str, seed: int) -> bytes:
    """Return a file of coarse noise; of what is too large to be unpacked the header counts."""
    if width * height > 1_000_000 and min(width, height) > 40:
        return file_of(Image.new("1", (width, height)))
    if mode in {"I;16", "F"}:
        ramp = np.linspace(0, 60_000, width * height).reshape(height, width)
        return file_of(Image.fromarray(ramp.astype("u2" if mode == "I;16" else "f4")), KINDS[mode])
    noise = np.random.default_rng(seed).integers(0, 256, (9, 16, 4), dtype=np.uint8)
    image = Image.fromarray(noise).resize((width, height), Image.Resampling.NEAREST)
    opaque = image if mode in {"LA", "RGBA"} else image.convert("RGB")
    return file_of(opaque.convert(mode), KINDS[mode])


@given(SIDES, SIDES, st.sampled_from(list(KINDS)), st.integers(0, 3))
@example(1500, 16, "RGB", 0)
@example(1919, 16, "L", 0)
@example(1920, 20, "CMYK", 0)
@example(4096, 20, "1", 0)
@example(16, 4096, "P", 0)
@example(4096, 76, "LA", 0)
@example(480, 16, "I;16", 0)
@example(16, 16, "RGBA", 0)
def test_a_picture_of_any_shape_and_mode_is_described_or_rejected(
    width: int, height: int, mode: str, seed: int
) -> None:
    try:
        found = describe_thumbnail(picture(width, height, mode, seed))
    except ThumbnailRejectedError as error:
        reason = error.reason
    else:
        assert (found.width, found.height) == (width, height)
        assert sum(found.edge_grid) == pytest.approx(1.0)
        assert sum(found.saliency_grid) == pytest.approx(1.0)
        return
    is_ordinary = mode != "F" and 16 <= min(width, height) <= max(width, height) <= 480
    # Noise may happen to have black bars, without which little is left of a small picture.
    assert not is_ordinary or reason is RejectionReason.TOO_NARROW
