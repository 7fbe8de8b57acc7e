"""One running product for all end-to-end tests, and a browser to look at it with."""

import shutil
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Request, expect, sync_playwright

from tests.e2e.product import Product, wait_until

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = (
    "--no-sandbox",  # root may not start it otherwise; it opens pages of our own only
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # nobody else is reached
)
_REMEMBERED = "cookies,file_systems,indexeddb,local_storage,service_workers,cache_storage"
_FAILED = pytest.StashKey[bool]()


@pytest.fixture(scope="session")
def installation(server_directory: Path) -> Iterator[Product]:
    """The product after its first start, during which its code server was killed.

    One start serves all tests: it is the longest thing that they do. The code server dies while
    history is loaded, before it has runs: what becomes of those is the matter of `tests/chaos`.
    """
    directory = server_directory / "product"
    directory.mkdir(mode=0o711)
    product = Product(directory)
    try:
        product.launch()
        wait_until(
            lambda: "Loading 1 days of history" in product.printed and product.code_servers(),
            within=300,
            what=lambda: f"the history. It printed:\n{product.printed}",
        )
        assert product.heads() == [], "nothing may tick while history is loaded"
        for server in product.code_servers():
            server.kill()
        product.await_links()
        yield product
    finally:
        product.end()


@pytest.fixture
def product(installation: Product) -> Product:
    """The running product; started again for the first test after one that stopped it."""
    installation.start()
    return installation


# Not for the session: while it is open, nothing else in this process may run an event loop.
@pytest.fixture(scope="module")
def window(
    installation: Product, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BrowserContext]:
    """One window for all pages: its profile keeps the UI's scripts, megabytes that are compiled.

    To route requests would switch its cache off, so pages are listened to instead.
    """
    program = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if program is None:
        pytest.skip(f"No Chromium on this machine: none of {', '.join(_BROWSERS)} is on the path.")
    expect.set_options(timeout=120_000)
    installation.start()
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("browser"),
            executable_path=program,
            args=[*_ARGUMENTS],
            viewport={"width": 1700, "height": 1000},
            timezone_id="UTC",
            base_url=installation.url,
        ) as context,
    ):
        context.set_default_timeout(120_000)
        yield context


@pytest.fixture
def page(
    window: BrowserContext, product: Product, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Page]:
    """A page that remembers nothing; it may neither break nor ask anybody else for anything."""
    broken: list[str] = []
    asked_elsewhere: list[str] = []

    def note(asked: Request) -> None:
        if asked.url.startswith("http") and not asked.url.startswith(product.url):
            asked_elsewhere.append(asked.url)

    with window.new_page() as page:
        window.new_cdp_session(page).send(
            "Storage.clearDataForOrigin", {"origin": product.url, "storageTypes": _REMEMBERED}
        )
        page.on("request", note)
        page.on("pageerror", lambda error: broken.append(str(error)))
        yield page
        if request.node.stash.get(_FAILED, False):
            picture = tmp_path / "page.png"
            page.screenshot(path=picture)
            request.node.add_report_section("teardown", "page", f"{page.url}: see {picture}")
    assert broken == []
    assert asked_elsewhere == []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell the page's fixture whether its test failed, so that it keeps a picture."""
    report = yield
    if report.when == "call":
        item.stash[_FAILED] = report.failed
    return report
