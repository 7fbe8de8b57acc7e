"""Pictures that look alike are together, others are not, and nobody compares them pairwise."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from aurastream.core.errors import InvalidInputError
from aurastream.core.thumbnails_colour import luma
from aurastream.core.thumbnails_similarity import (
    SimilarityParams,
    hash_distance,
    perceptual_hash,
    similar_groups,
)
from tests.unit.thumbnails.pictures import waves, words


def hash_of(image: Image.Image) -> str:
    return perceptual_hash(luma(np.asarray(image.convert("RGB"))))


@pytest.fixture(scope="module")
def originals() -> list[Image.Image]:
    return [waves(seed, (640, 360)) for seed in range(40)]


def test_size_quality_and_light_leave_the_hash_nearly_as_it_is(
    originals: list[Image.Image],
) -> None:
    for image in originals:
        base = hash_of(image)
        small = image.resize((320, 180), Image.Resampling.BOX)
        lighter = ImageEnhance.Brightness(image).enhance(1.08)
        marked = image.copy()
        words("7:31", 20, (580, 330), marked)
        assert max(hash_distance(base, hash_of(v)) for v in (small, lighter, marked)) <= 8


def test_other_pictures_are_far_away(originals: list[Image.Image]) -> None:
    hashes = [hash_of(image) for image in originals]
    distances = [hash_distance(a, b) for a, b in combinations(hashes, 2)]

    assert min(distances) > 12
    assert np.mean(distances) == pytest.approx(31.5, abs=1.5)


def test_copies_are_grouped_with_their_originals(originals: list[Image.Image]) -> None:
    copies = [image.resize((480, 270), Image.Resampling.BOX) for image in originals]
    groups = similar_groups([hash_of(image) for image in [*originals, *copies]])

    assert groups[:40].tolist() == groups[40:].tolist()
    assert len(set(groups.tolist())) == 40


HASHES = st.lists(
    st.one_of(
        st.none(),
        st.integers(0, 2**64 - 1),
        st.sets(st.integers(0, 63), max_size=5).map(lambda bits: sum(1 << b for b in bits)),
    ).map(lambda n: None if n is None else f"{n:016x}"),
    max_size=30,
)


def _pairwise(hashes: list[str | None], distance: int) -> list[frozenset[int]]:
    parts = [{i} for i in range(len(hashes))]
    for i, j in combinations(range(len(hashes)), 2):
        one, other = hashes[i], hashes[j]
        near = one is not None and other is not None and hash_distance(one, other) <= distance
        if near and parts[i] is not parts[j]:
            joined = parts[i] | parts[j]
            for member in joined:
                parts[member] = joined
    return sorted({frozenset(p) for p in parts}, key=sorted)


@given(HASHES, st.integers(0, 15))
def test_groups_are_those_of_comparing_every_pair(hashes: list[str | None], distance: int) -> None:
    groups = similar_groups(hashes, params=SimilarityParams(max_distance=distance)).tolist()

    together: dict[int, set[int]] = {}
    for place, group in enumerate(groups):
        together.setdefault(group, set()).add(place)
    assert sorted(map(frozenset, together.values()), key=sorted) == _pairwise(hashes, distance)
    assert sorted(together) == list(range(len(together)))


@given(HASHES.map(lambda h: [x for x in h if x]), st.randoms(use_true_random=False))
def test_numbers_do_not_depend_on_the_order(hashes: list[str], order: object) -> None:
    places = list(range(len(hashes)))
    order.shuffle(places)  # type: ignore[attr-defined] # a random.Random
    groups = similar_groups(hashes).tolist()

    assert similar_groups([hashes[p] for p in places]).tolist() == [groups[p] for p in places]


@given(HASHES, st.integers(0, 14))
def test_a_wider_distance_never_parts_what_was_together(
    hashes: list[str | None], distance: int
) -> None:
    narrow = similar_groups(hashes, params=SimilarityParams(max_distance=distance))
    wide = similar_groups(hashes, params=SimilarityParams(max_distance=distance + 1))

    for group in np.unique(narrow):
        assert len(set(wide[narrow == group].tolist())) == 1


def test_thousands_of_equal_pictures_are_one_group_at_no_cost() -> None:
    groups = similar_groups(["00000000000000ff"] * 50_000 + ["ffffffff00000000"])

    assert groups.tolist() == [0] * 50_000 + [1]


def test_thirty_thousand_different_pictures_are_each_alone() -> None:
    # 450 million pairs: only an index gets through them within the patience of a test.
    drawn = np.random.default_rng(5).integers(0, 2**63, 30_000, dtype=np.int64)

    groups = similar_groups(
        [f"{int(h):016x}" for h in drawn], params=SimilarityParams(max_distance=5)
    )

    assert len(set(groups.tolist())) == 30_000


@pytest.mark.parametrize("text", ["xyz", "00", "0" * 17, 12, "FFFFFFFFFFFFFFFF"])
def test_what_is_no_hash_is_refused(text: object) -> None:
    with pytest.raises(InvalidInputError, match="no perceptual hash"):
        similar_groups([text])


@pytest.mark.parametrize("distance", [-1, 16])
def test_a_distance_that_no_index_serves_is_refused(distance: int) -> None:
    with pytest.raises(InvalidInputError, match="0 to 15"):
        similar_groups([], params=SimilarityParams(max_distance=distance))
