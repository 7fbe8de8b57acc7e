"""Links between the documents lead somewhere, and none of them names a machine."""

import re
from pathlib import Path

import pytest

REPO_ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted(
    path.relative_to(REPO_ROOT).as_posix()
    for path in (*REPO_ROOT.glob("*.md"), *(REPO_ROOT / "docs").rglob("*.md"))
)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def _text(page: Path) -> str:
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def _anchors(page: Path) -> set[str]:
    """Return the anchors that a forge makes of the headings."""
    headings = re.findall(r"^#+ (.+)$", _text(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}


@pytest.mark.parametrize("name", PAGES)
def test_every_link_within_the_project_has_a_target(name: str) -> None:
    page = REPO_ROOT / name
    broken = []
    for link in LINK.findall(_text(page)):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            broken.append(link)

    assert broken == []


def test_the_index_leads_to_every_page() -> None:
    index = REPO_ROOT / "docs" / "index.md"
    linked = {(index.parent / link).resolve() for link in LINK.findall(_text(index))}

    assert [page for page in PAGES if (REPO_ROOT / page).resolve() not in linked | {index}] == []


@pytest.mark.parametrize("name", PAGES)
def test_no_page_names_a_path_of_somebody_s_machine(name: str) -> None:
    text = (REPO_ROOT / name).read_text(encoding="utf-8")

    assert re.findall(r"(?:^|[\s`\"'(=])/(?:work|root|home|tmp|Users)/", text) == []
