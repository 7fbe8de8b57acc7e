"""Whatever the bytes are, there are pixels or a reason."""

import struct
import tracemalloc
import zlib
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from aurastream.core.thumbnails import describe_thumbnail
from aurastream.core.thumbnails_decode import (
    DecodeLimits,
    RejectionReason,
    ThumbnailRejectedError,
    decode_thumbnail,
    without_bars,
)
from tests.unit.thumbnails.pictures import animation, file_of, waves

JPEG = file_of(waves(1, (1280, 720)), "JPEG", quality=80)
PNG = file_of(waves(1, (320, 180)))
WEBP = file_of(waves(1, (320, 180)), "WEBP")


def reason_of(data: bytes, limits: DecodeLimits | None = None) -> RejectionReason:
    with pytest.raises(ThumbnailRejectedError) as caught:
        decode_thumbnail(data, limits or DecodeLimits())
    return caught.value.reason


def pixels_or_reason(data: bytes) -> int | RejectionReason:
    try:
        return decode_thumbnail(data).pixels.size
    except ThumbnailRejectedError as error:
        return error.reason


def bomb(width: int, height: int, *, rows: int | None = None) -> bytes:
    """Return what claims to be a picture of that size, and is one with all rows."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    packer = zlib.compressobj(9)
    row = bytes(1 + (width + 7) // 8)
    body = b"".join(packer.compress(row) for _ in range(rows or height)) + packer.flush()
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "missing"),
        (b"<!DOCTYPE html><html><title>404</title></html>", "not_an_image"),
        (b"%PDF-1.7 and so on", "not_an_image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not_an_image"),
        (file_of(Image.new("RGB", (64, 36)), "BMP"), "not_an_image"),
        (JPEG[:-2000], "truncated"),
        (JPEG[: len(JPEG) // 2], "truncated"),
        (PNG[: len(PNG) // 2], "truncated"),
        (animation()[:60], "truncated"),
        (JPEG[:12], "truncated"),
        (PNG[:20], "truncated"),
        (WEBP[:-1], "truncated"),
        (WEBP[: len(WEBP) // 2], "truncated"),
        (WEBP[:20], "truncated"),
        (WEBP[:12], "truncated"),
        (WEBP[:11], "corrupt"),
        (WEBP[:20] + bytes(len(WEBP) - 20), "corrupt"),
        (WEBP[:8] + b"WAVE" + WEBP[12:-1], "corrupt"),
        (b"GIF89a", "corrupt"),
        (file_of(Image.new("RGB", (8000, 300)), "JPEG"), "too_long_a_side"),
        (file_of(Image.new("L", (300, 8000))), "too_long_a_side"),
        (bomb(4000, 4000), "too_many_pixels"),
        (bomb(60_000, 60_000, rows=1)[:100], "too_many_pixels"),
        (file_of(Image.new("RGB", (1, 1))), "too_small"),
        (file_of(Image.new("RGB", (640, 8))), "too_small"),
        (file_of(Image.new("RGB", (1500, 16), "red")), "too_narrow"),
        (file_of(Image.new("RGB", (1919, 16), "red")), "too_narrow"),
        (file_of(Image.new("RGB", (1920, 20), "red"), "JPEG"), "too_narrow"),
        (file_of(Image.new("RGB", (4096, 20), "red")), "too_narrow"),
        (file_of(Image.new("L", (16, 4096), 200)), "too_narrow"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_looked_at_has_its_reason(data: bytes, reason: str) -> None:
    assert reason_of(data) == reason


def test_a_file_of_one_byte_more_than_five_megabytes_is_refused_unread() -> None:
    padded = PNG + bytes(5_000_001 - len(PNG))

    assert reason_of(padded) is RejectionReason.TOO_MANY_BYTES
    assert decode_thumbnail(padded[:-1]).width == 320


def test_a_bomb_is_refused_before_it_goes_off() -> None:
    data = bomb(20_000, 20_000)
    tracemalloc.start()
    try:
        assert reason_of(data) is RejectionReason.TOO_MANY_PIXELS
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 2_000_000  # unpacked it would be 400 million


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_picture_is_looked_at(kind: str) -> None:
    found = decode_thumbnail(animation(kind))

    assert found.is_animated
    assert found.pixels[18, 32, 0] > 240
    assert found.pixels[18, 32, 2] < 15


def test_a_jpeg_with_another_behind_it_is_a_jpeg_that_does_not_move() -> None:
    both = {"save_all": True, "append_images": [waves(5, (64, 36))]}

    found = decode_thumbnail(file_of(Image.new("RGB", (64, 36), "red"), "MPO", **both))

    assert (found.image_format, found.is_animated) == ("JPEG", False)
    assert found.pixels[18, 32, 0] > 240


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I;16", "CMYK"])
def test_every_mode_becomes_red_green_and_blue(mode: str) -> None:
    kind = "JPEG" if mode == "CMYK" else "PNG"
    ground = Image.fromarray(np.full((36, 64), 40_000, np.uint16))
    image = ground if mode == "I;16" else Image.new("RGB", (64, 36), "white").convert(mode)

    found = decode_thumbnail(file_of(image, kind)).pixels

    assert found.shape == (36, 64, 3)
    assert found.dtype == np.uint8
    assert found.min() > (150 if mode == "I;16" else 240)


def test_the_words_for_a_strip_tell_its_size_as_it_came_and_as_it_is_looked_at() -> None:
    barred = Image.new("RGB", (480, 16), "black")
    barred.paste("white", (0, 4, 480, 12))

    for image, sizes in (
        (Image.new("RGB", (1920, 20), "red"), "1920 × 20.*480 × 5; 9 a side"),
        (barred, "480 × 16.*480 × 8; 9 a side"),
    ):
        with pytest.raises(ThumbnailRejectedError, match=sizes):
            decode_thumbnail(file_of(image))


def test_what_is_transparent_is_white() -> None:
    glass = Image.new("RGBA", (64, 36), (255, 0, 0, 0))
    palette = Image.new("P", (64, 36), 0)
    palette.putpalette([255, 0, 0] * 256)

    for data in (file_of(glass), file_of(palette, transparency=b"\x00")):
        assert decode_thumbnail(data).pixels.min() == 255


@pytest.mark.parametrize("size", [(1280, 720), (720, 1280), (481, 480), (480, 270), (120, 90)])
def test_the_longer_side_is_at_most_the_working_side_and_nothing_is_enlarged(
    size: tuple[int, int],
) -> None:
    height, width, _ = decode_thumbnail(file_of(waves(2, size))).pixels.shape

    assert max(height, width) == min(480, *[max(size)])
    assert width / height == pytest.approx(size[0] / size[1], rel=0.01)


def test_bars_are_cut_off_above_and_below_and_beside_but_not_from_the_dark() -> None:
    picture = np.full((360, 480, 3), 90, np.uint8)
    picture[:45], picture[-46:] = 12, 0
    beside = picture.transpose(1, 0, 2)
    night = np.full((100, 100, 3), 3, np.uint8)
    lantern = night.copy()
    lantern[45:55, 45:55] = 255

    assert without_bars(picture).shape == (269, 480, 3)
    assert without_bars(beside).shape == (480, 269, 3)
    assert without_bars(night).shape == night.shape
    assert without_bars(lantern).shape == lantern.shape


def test_a_size_with_bars_looks_like_the_one_without() -> None:
    whole = waves(3, (1280, 720))
    barred = Image.new("RGB", (640, 480))
    barred.paste(whole.resize((640, 360)), (0, 60))

    one, other = (describe_thumbnail(file_of(i, "JPEG", quality=90)) for i in (whole, barred))

    assert one.brightness == pytest.approx(other.brightness, abs=0.01)
    assert one.contrast == pytest.approx(other.contrast, abs=0.01)
    assert (other.width, other.height) == (640, 480)


@given(st.binary(max_size=400), st.sampled_from([b"", JPEG[:300], PNG[:60], b"GIF89a", b"RIFF"]))
def test_no_bytes_bring_any_other_error(tail: bytes, head: bytes) -> None:
    assert pixels_or_reason(head + tail)


@given(st.data())
def test_a_damaged_picture_is_a_picture_or_a_reason(data: st.DataObject) -> None:
    damaged = bytearray(file_of(waves(4, (160, 90)), "JPEG"))
    for place in data.draw(st.lists(st.integers(2, len(damaged) - 1), min_size=1, max_size=8)):
        damaged[place] = data.draw(st.integers(0, 255))
    assert pixels_or_reason(bytes(damaged))


def test_the_same_bytes_give_the_same_pixels() -> None:
    first = decode_thumbnail(JPEG).pixels
    with Image.open(BytesIO(PNG)) as beside:  # another picture in between changes nothing
        beside.load()

    assert np.array_equal(first, decode_thumbnail(JPEG).pixels)
