"""Pictures with known faces, words and colours, drawn here, and files of them."""

from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Colour = tuple[int, int, int]
SKINS: tuple[Colour, ...] = ((214, 170, 140), (160, 110, 80), (110, 74, 52))


def file_of(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def animation(kind: str = "GIF") -> bytes:
    """Return a red picture that turns blue."""
    frames = [Image.new("RGB", (64, 36), colour) for colour in ("red", "blue")]
    return file_of(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)


def waves(seed: int, size: tuple[int, int] = (480, 270)) -> Image.Image:
    """Return soft coloured clouds, the same for the same seed."""
    rng = np.random.default_rng(seed)
    fields = np.clip(rng.normal(120, 50, (9, 16, 3)), 0, 255).astype(np.uint8)
    return Image.fromarray(fields).resize(size, Image.Resampling.BICUBIC)


def words(text: str, size: int, at: tuple[int, int], ground: Image.Image) -> float:
    """Write white words with a black rim on a picture; return the share of it they cover."""
    canvas, font = ImageDraw.Draw(ground), ImageFont.load_default(size)
    canvas.multiline_text(at, text, "white", font, stroke_width=2, stroke_fill="black")
    left, top, right, bottom = canvas.multiline_textbbox(at, text, font)
    return float((right - left) * (bottom - top) / (ground.width * ground.height))


def faces_on(
    ground: Image.Image, boxes: Sequence[tuple[int, int, int]], skin: Colour = SKINS[0]
) -> Image.Image:
    """Draw a face into each box of left, top and side."""
    for left, top, side in boxes:
        ground.paste(_face(side, skin), (left, top))
    return ground


def _face(side: int, skin: Colour) -> Image.Image:
    n = side * 4
    image = Image.new("RGB", (n, n), (60, 110, 170))
    canvas = ImageDraw.Draw(image)

    def oval(left: float, top: float, right: float, bottom: float, fill: Colour) -> None:
        canvas.ellipse((left * n, top * n, right * n, bottom * n), fill=fill)

    def bar(left: float, top: float, right: float, bottom: float, fill: Colour) -> None:
        canvas.rectangle((left * n, top * n, right * n, bottom * n), fill=fill)

    def shade(factor: float) -> Colour:
        r, g, b = (min(255, int(channel * factor)) for channel in skin)
        return r, g, b

    oval(0.10, -0.05, 0.90, 1.08, skin)
    oval(0.10, -0.12, 0.90, 0.24, (40, 28, 20))
    bar(0.22, 0.20, 0.78, 0.30, shade(1.12))
    for middle in (0.32, 0.68):
        oval(middle - 0.13, 0.30, middle + 0.13, 0.46, shade(0.8))
        bar(middle - 0.12, 0.29, middle + 0.12, 0.325, (50, 35, 25))
        oval(middle - 0.085, 0.355, middle + 0.085, 0.43, (235, 235, 235))
        oval(middle - 0.045, 0.35, middle + 0.045, 0.435, (30, 20, 15))
    bar(0.46, 0.36, 0.54, 0.62, shade(1.12))
    oval(0.41, 0.58, 0.59, 0.67, shade(0.8))
    oval(0.20, 0.50, 0.38, 0.66, shade(1.12))
    oval(0.62, 0.50, 0.80, 0.66, shade(1.12))
    oval(0.34, 0.74, 0.66, 0.84, (150, 60, 60))
    bar(0.35, 0.785, 0.65, 0.795, (70, 20, 20))
    blurred = image.filter(ImageFilter.GaussianBlur(n * 0.018))
    return blurred.resize((side, side), Image.Resampling.LANCZOS)
