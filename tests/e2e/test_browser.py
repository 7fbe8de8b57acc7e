"""What a person does in the browser: look around, look closer, compute something again."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from aurastream.store.tables import metadata
from tests.e2e.product import Product

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1_200)]

_STAGES = ("collection", "intelligence", "aggregation", "reporting")
_SCORES = ("video_velocity", "category_stats", "viral_scores", "competition", "opportunity")
_AUTOMATIONS = (
    "signal_schedule",
    "games_schedule",
    "games_reconcile_schedule",
    "streams_schedule",
    "clips_schedule",
    "hourly_rollup_schedule",
    "daily_rollup_schedule",
    "late_hours",
    "late_days",
)


def test_the_lineage_shows_the_stages_and_opens_to_their_assets(page: Page) -> None:
    page.goto("/")
    # Until its font has come, an icon is text: that of another link is "column_lineage".
    page.get_by_role("link", name=re.compile(r"\bLineage$")).click()
    expect(page.get_by_text("Global asset lineage")).to_be_visible()
    graph = page.locator("svg")
    for stage in _STAGES:
        expect(graph.get_by_text(stage, exact=True)).to_be_visible()

    # The group opens where the asset is, which is drawn as a card with what happened to it last.
    jump = page.get_by_placeholder(re.compile("Jump to"))
    jump.fill("category_stats")
    jump.press("Enter")
    expect(graph.get_by_text("category_stats", exact=True)).to_be_visible()
    expect(graph.get_by_text("Latest event").first).to_be_visible()
    expect(graph.get_by_text("Passed").first).to_be_visible()


def test_a_search_leads_to_an_asset_whose_columns_are_described(page: Page) -> None:
    page.goto("/")
    page.get_by_text("Search", exact=True).click()
    page.keyboard.type("intelligence/opportunity")
    # The search is fuzzy: every asset of the stage is found, this one first.
    page.get_by_role("link", name="asset intelligence / opportunity Asset in").click()

    expect(page.get_by_text("Score the opportunity in each category from 0 to 100")).to_be_visible()
    table = metadata.tables["intelligence.opportunity"]
    for column in table.columns:
        row = page.get_by_role("row").filter(
            has=page.get_by_role("cell", name=re.compile(rf"^{column.name}\b"))
        )
        expect(row.get_by_role("cell").last).to_have_text(str(column.comment))
    for fact in ("aurastream", "Postgres", "signal", "rescore"):
        expect(page.get_by_text(fact, exact=True).first).to_be_visible()


@pytest.mark.parametrize(
    ("asset", "picture"),
    [
        ("video_velocity", "Distribution of lifetime velocity per category"),
        ("viral_scores", "Most viral videos of the window"),
        ("opportunity", "Opportunity by category"),
    ],
)
def test_the_events_of_a_score_draw_it(page: Page, asset: str, picture: str) -> None:
    page.goto(f"/assets/intelligence/{asset}")
    page.get_by_role("tab", name="Events").click()
    page.get_by_text("[Show Markdown]").click()

    image = page.get_by_role("dialog").get_by_role("img", name=picture)
    expect(image).to_be_visible()
    expect(image).to_have_attribute("src", re.compile(r"^data:image/"))
    expect(image).to_have_js_property("complete", value=True)
    width, height = image.evaluate("image => [image.naturalWidth, image.naturalHeight]")
    assert width >= 400, "a picture that could not be decoded has no size"
    assert height >= 100


def test_every_schedule_and_sensor_is_switched_on(page: Page) -> None:
    page.goto("/")
    page.get_by_role("link", name="Automation").click()

    for name in _AUTOMATIONS:
        expect(page.get_by_role("link", name=name)).to_be_visible()
    # Each row has a box to select it, which is empty, and its switch.
    rows = page.locator("a[href*='/schedules/'], a[href*='/sensors/']").count()
    expect(page.get_by_role("checkbox", checked=True)).to_have_count(rows)

    page.get_by_role("link", name="clips_schedule").click()
    for fact in ("Newest clips of every tracked game.", "Next tick", "(2-57/5 * * * *)", "UTC"):
        expect(page.get_by_text(fact, exact=True).first).to_be_visible()


def test_all_daemons_run(page: Page) -> None:
    page.goto("/")
    page.get_by_role("link", name="Deployment").click()
    page.get_by_role("tab", name="Daemons").or_(page.get_by_text("Daemons", exact=True)).click()

    for daemon in ("Scheduler", "Sensors", "Backfill", "Run queue", "Monitoring"):
        row = page.get_by_role("row").filter(has_text=daemon)
        expect(row.get_by_text("Running", exact=True)).to_be_visible()


def test_a_backfill_launched_by_clicking_succeeds_and_leaves_equal_rows(
    page: Page, product: Product
) -> None:
    first = (datetime.now(UTC) - timedelta(hours=6)).replace(minute=0, second=0, microsecond=0)
    last = first + timedelta(hours=1)
    before = _scores(product, first, last)

    # Assets with windows of one length are launched together: those of a job.
    page.goto("/locations/aurastream/jobs/rescore")
    expect(page.locator("svg").get_by_text(_SCORES[0], exact=True)).to_be_visible()
    page.get_by_role("button", name="Materialize all").click()
    dialog = page.get_by_role("dialog")
    partitions = dialog.get_by_role("textbox").first
    partitions.fill(f"[{first:%Y-%m-%d-%H:%M}...{last:%Y-%m-%d-%H:%M}]")
    partitions.press("Tab")
    expect(dialog.get_by_text("3 partitions", exact=True)).to_be_visible()
    dialog.get_by_role("button", name="Launch backfill").click()

    expect(page.get_by_text("Created backfill")).to_be_visible()
    page.get_by_role("link", name="View", exact=True).click()
    expect(page).to_have_url(re.compile(r"/runs/b/\w+"))
    page.get_by_role("tab", name="Runs").click()
    # The daemon looks for backfills every half minute; one run computes all windows of all scores.
    expect(page.get_by_text("Success", exact=True)).to_have_count(1, timeout=180_000)

    after = _scores(product, first, last)
    assert {name: row[:2] for name, row in after.items()} == {
        name: row[:2] for name, row in before.items()
    }
    for name in _SCORES:
        assert after[name][0] > 0, f"{name} has rows"
        assert after[name][2] > before[name][2], f"{name} was written again"


def _scores(product: Product, first: datetime, last: datetime) -> dict[str, tuple[int, str, int]]:
    """Return rows, checksum and oldest writing transaction of the windows, per table."""
    return {
        name: product.rows(
            f"""
            select count(*), md5(string_agg(t::text, E'\\n' order by t::text)),
                   min(xmin::text::bigint)
            from intelligence.{name} t where window_start between %s and %s
            """,
            first,
            last,
        )[0]
        for name in _SCORES
    }
