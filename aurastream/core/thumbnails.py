"""What a thumbnail looks like: one row of figures per picture, from its bytes alone.

Everything is computed on this machine, from pixels of one size (see
`aurastream.core.thumbnails_decode`); the same bytes give the same row, whatever else is looked at
beside them and in whichever thread. No figure has a better direction in itself:
`aurastream.core.thumbnails_lift` measures which go along with faster videos.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
import pandas as pd

from aurastream.core.frames import Schema, build_frame, empty_frame
from aurastream.core.thumbnails_colour import colour_name, luma, palette, tone
from aurastream.core.thumbnails_decode import DecodedThumbnail, DecodeLimits, decode_thumbnail
from aurastream.core.thumbnails_faces import faces
from aurastream.core.thumbnails_layout import layout
from aurastream.core.thumbnails_similarity import perceptual_hash
from aurastream.core.thumbnails_text import lettering

__all__ = [
    "FEATURES_VERSION",
    "THUMBNAIL_SCHEMA",
    "ThumbnailFeatures",
    "describe_pixels",
    "describe_thumbnail",
    "features_frame",
]

FEATURES_VERSION: Final = "2"
"""Grows with every change after which the same bytes give other figures."""

THUMBNAIL_SCHEMA: Final[Schema] = {
    "content_hash": "str",
    "byte_count": "int32",
    "image_format": "str",
    "width": "int32",
    "height": "int32",
    "is_animated": "bool",
    "brightness": "float64",
    "contrast": "float64",
    "saturation": "float64",
    "colourfulness": "float64",
    "dominant_colour": "str",
    "colour_name": "str",
    "palette": "object",
    "edge_grid": "object",
    "saliency_grid": "object",
    "focus_field": "str",
    "thirds_index": "float64",
    "edge_density": "float64",
    "entropy_bits": "float64",
    "clutter": "float64",
    "face_count": "int32",
    "face_area_share": "float64",
    "largest_face_share": "float64",
    "face_field": "str",
    "text_line_count": "int32",
    "text_area_share": "float64",
    "text_field": "str",
    "text": "str",
    "composition": "str",
    "subjects": "object",
    "perceptual_hash": "str",
    "vision_provider": "str",
    "features_version": "str",
}
"""Columns of `features_frame`, after the one that names the picture."""


@dataclass(frozen=True, slots=True)
class ThumbnailFeatures:
    """What one picture looks like; the fields are the columns of `THUMBNAIL_SCHEMA`.

    Parameters
    ----------
    content_hash : str
        Sixteen hexadecimal digits of the SHA-256 of the file.
    byte_count, image_format, width, height, is_animated
        Of the file as it came.
    brightness, contrast, saturation, colourfulness
        See `aurastream.core.thumbnails_colour.Tone`.
    dominant_colour : str
        The most frequent colour, ``#rrggbb``.
    colour_name : str
        The name of the most frequent colour that is neither black nor white nor grey, where such
        colours have a twentieth of the picture; else that of the dominant one.
    palette : tuple of (str, float)
        Up to five colours with their shares.
    edge_grid, saliency_grid, focus_field, thirds_index, edge_density, entropy_bits, clutter
        See `aurastream.core.thumbnails_layout.Layout`.
    face_count, face_area_share, largest_face_share, face_field
        See `aurastream.core.thumbnails_faces.Faces`.
    text_line_count, text_area_share, text_field
        See `aurastream.core.thumbnails_text.Lettering`.
    perceptual_hash : str
        See `aurastream.core.thumbnails_similarity.perceptual_hash`.
    text : str or None
        The words themselves, where somebody read them.
    composition : str or None
        Kind of composition in a word, where somebody named it.
    subjects : tuple of str or None
        What is in the picture, where somebody named it.
    vision_provider : str
        Who looked.
    features_version : str
        `FEATURES_VERSION`.
    """

    content_hash: str
    byte_count: int
    image_format: str
    width: int
    height: int
    is_animated: bool
    brightness: float
    contrast: float
    saturation: float
    colourfulness: float
    dominant_colour: str
    colour_name: str
    palette: tuple[tuple[str, float], ...]
    edge_grid: tuple[float, ...]
    saliency_grid: tuple[float, ...]
    focus_field: str
    thirds_index: float
    edge_density: float
    entropy_bits: float
    clutter: float
    face_count: int
    face_area_share: float
    largest_face_share: float
    face_field: str | None
    text_line_count: int
    text_area_share: float
    text_field: str | None
    perceptual_hash: str
    text: str | None = None
    composition: str | None = None
    subjects: tuple[str, ...] | None = None
    vision_provider: str = "local"
    features_version: str = FEATURES_VERSION


def describe_thumbnail(data: bytes, limits: DecodeLimits | None = None) -> ThumbnailFeatures:
    """Return what a file looks like.

    Parameters
    ----------
    data : bytes
        The file, whatever it is.
    limits : DecodeLimits, optional
        What is accepted.

    Returns
    -------
    ThumbnailFeatures
        The same for the same bytes. Texts that nobody read and kinds that nobody named are None.

    Raises
    ------
    aurastream.core.thumbnails_decode.ThumbnailRejectedError
        With its reason, when it is no picture within the limits; never anything else.

    Notes
    -----
    O(pixels). About 30 ms for 1280 × 720 on one processor.

    References
    ----------
    AuraStream paper 4.1 asks for the layout of thumbnails (#89); looking at them on this machine,
    without a vision model, is ours.

    Examples
    --------
    >>> from io import BytesIO
    >>> from PIL import Image
    >>> file = BytesIO()
    >>> Image.new("RGB", (320, 180), (200, 30, 30)).save(file, "PNG")
    >>> found = describe_thumbnail(file.getvalue())
    >>> found.colour_name, found.contrast, found.face_count, found.text_line_count
    ('red', 0.0, 0, 0)
    >>> found == describe_thumbnail(file.getvalue())
    True

    What no one looked at is unknown, and a file without a byte has no features:

    >>> found.text, found.face_field, found.text_field
    (None, None, None)
    >>> describe_thumbnail(b"")
    Traceback (most recent call last):
    aurastream.core.thumbnails_decode.ThumbnailRejectedError: The thumbnail is empty.
    """
    return describe_pixels(data, decode_thumbnail(data, limits or DecodeLimits()))


def describe_pixels(data: bytes, picture: DecodedThumbnail) -> ThumbnailFeatures:
    """Return what a file looks like that is unpacked already; see `describe_thumbnail`.

    Parameters
    ----------
    data : bytes
        The file, which is counted and hashed, not unpacked again.
    picture : DecodedThumbnail
        What `aurastream.core.thumbnails_decode.decode_thumbnail` made of it.

    Returns
    -------
    ThumbnailFeatures
        The same for the same bytes and pixels. ``width`` and ``height`` are those of the file as it
        came; all shares are of the pixels that are looked at.

    Notes
    -----
    O(bytes + pixels · scales + letters²): pixels are at most those of the size that is looked at,
    scales those at which faces are sought, letters at most 600.

    References
    ----------
    AuraStream paper 4.1 asks for the layout of thumbnails (#89); each figure names its method in
    the module it comes from. Ours is the leading colour.

    Examples
    --------
    Two colours of a half each: the dominant one is the first by its text, and the name is that of
    the one that is not grey:

    >>> pixels = np.full((90, 160, 3), (40, 40, 40), np.uint8)
    >>> pixels[:, 80:] = (255, 200, 0)
    >>> picture = DecodedThumbnail(pixels, 1280, 720, "PNG", is_animated=False)
    >>> found = describe_pixels(b"abc", picture)
    >>> found.palette, found.dominant_colour, found.colour_name
    ((('#282828', 0.5), ('#ffc800', 0.5)), '#282828', 'yellow')
    >>> found.content_hash, found.byte_count, found.width, found.face_count, found.face_field
    ('ba7816bf8f01cfea', 3, 1280, 0, None)
    """
    pixels = picture.pixels
    light = luma(pixels)
    levels = np.rint(light * 255.0).astype(np.uint8)
    colours, composed, looks = palette(pixels), layout(pixels), tone(pixels)
    people, words = faces(levels), lettering(levels)
    return ThumbnailFeatures(
        content_hash=hashlib.sha256(data).hexdigest()[:16],
        byte_count=len(data),
        image_format=picture.image_format,
        width=picture.width,
        height=picture.height,
        is_animated=picture.is_animated,
        brightness=looks.brightness,
        contrast=looks.contrast,
        saturation=looks.saturation,
        colourfulness=looks.colourfulness,
        dominant_colour=colours[0][0],
        colour_name=_leading_colour(colours),
        palette=tuple(colours),
        edge_grid=composed.edge_grid,
        saliency_grid=composed.saliency_grid,
        focus_field=composed.focus_field,
        thirds_index=composed.thirds_index,
        edge_density=composed.edge_density,
        entropy_bits=composed.entropy_bits,
        clutter=composed.clutter,
        face_count=people.count,
        face_area_share=people.area_share,
        largest_face_share=people.largest_share,
        face_field=people.field,
        text_line_count=words.count,
        text_area_share=words.area_share,
        text_field=words.field,
        perceptual_hash=perceptual_hash(light),
    )


def features_frame(
    found: Mapping[str, ThumbnailFeatures], *, name: str = "video_id"
) -> pd.DataFrame:
    """Return features as a frame, one row per picture.

    Parameters
    ----------
    found : mapping of str to ThumbnailFeatures
        By whatever names the picture, for example the video.
    name : str
        The first column, which holds that name; the others are those of `THUMBNAIL_SCHEMA`.

    Returns
    -------
    pandas.DataFrame
        In the order given. Tuples are lists; what nobody read, named or found is null.

    Notes
    -----
    O(pictures · columns).

    References
    ----------
    Ours: the shape of ``intelligence.thumbnail_features``, for the layout of thumbnails (#89).

    Examples
    --------
    >>> pixels = np.full((90, 160, 3), 255, np.uint8)
    >>> picture = DecodedThumbnail(pixels, 160, 90, "PNG", is_animated=False)
    >>> white = describe_pixels(b"abc", picture)
    >>> found = features_frame({"v2": white, "v1": white})
    >>> found[["video_id", "palette", "clutter"]].values.tolist()
    [['v2', [['#ffffff', 1.0]], 0.0], ['v1', [['#ffffff', 1.0]], 0.0]]
    >>> found[["text", "subjects", "face_field"]].isna().all(axis=None).item()
    True
    >>> features_frame({}).shape
    (0, 34)
    """
    schema = {name: "str", **THUMBNAIL_SCHEMA}
    if not found:
        return empty_frame(schema)
    own = [field.name for field in fields(ThumbnailFeatures)]
    columns: dict[str, Any] = {
        column: [getattr(features, column) for features in found.values()] for column in own
    }
    columns[name] = list(found)
    for column, kind in schema.items():
        if kind == "object":
            columns[column] = _objects(columns[column])
        elif kind == "str":
            columns[column] = pd.array(columns[column], dtype="str")
        else:
            columns[column] = np.asarray(columns[column])
    return build_frame(schema, columns)


_ACHROMATIC: Final = frozenset({"black", "white", "grey"})
_NOTICED: Final = 0.05


def _leading_colour(colours: Sequence[tuple[str, float]]) -> str:
    shares: dict[str, float] = {}
    for hexadecimal, share in colours:
        named = colour_name(hexadecimal)
        shares[named] = shares.get(named, 0.0) + share
    chromatic = {n: s for n, s in shares.items() if n not in _ACHROMATIC and s >= _NOTICED}
    best = chromatic or shares
    return min(best, key=lambda n: (-best[n], n))


def _objects(values: Sequence[Any]) -> Any:  # noqa: ANN401 # an array of objects
    """Return an array of lists (tuples become lists, inside too) and nulls."""
    array = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):
        array[i] = _listed(value)
    return array


def _listed(value: Any) -> Any:  # noqa: ANN401 # tuples, texts and numbers alike
    return [_listed(part) for part in value] if isinstance(value, tuple) else value
