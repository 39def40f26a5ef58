"""The fleet page in a real Chromium, fed through a real broker."""

import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Error, Page, Request, async_playwright, expect

from link.client import Client
from tests.support import fleet
from tests.support.controlling import Controller, controller
from tests.support.mosquitto import MosquittoContainer
from wire.messages import AppStatus, Category, Fault, Left, Outcome, Phase, Progress
from wire.topics import Kind, NodeName

ARTIFACTS = Path(__file__).parents[2] / "artifacts"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
CELLS_THAT_OVERFLOW = """
    [...document.querySelectorAll("td")].filter((td) => td.scrollWidth > td.clientWidth + 1).map((td) => td.innerText)
"""
BEYOND_THE_EDGE = """
    [...document.querySelectorAll(".top *, .summary *, .grid td")]
        .filter((it) => it.getBoundingClientRect().right > innerWidth).map((it) => it.outerHTML)
"""
NETWORK_CHANGED = "net::ERR_NETWORK_CHANGED"
LOADS = 5
WELL, UPDATING, AILING = (NodeName("augsburg", name) for name in ("press-1", "press-2", "coating-1"))
GONE, QUIET, POOR = (NodeName("bremen", name) for name in ("press-7", "weld-3", "weld-4"))
ALL = (WELL, UPDATING, AILING, GONE, QUIET, POOR)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium, without a window."""
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        await running.close()


@pytest.fixture
def broker(empty_broker: MosquittoContainer) -> MosquittoContainer:
    """A controller hears every node, so no node of another test may be there."""
    return empty_broker


@pytest.fixture
async def centre(broker: MosquittoContainer, tmp_path: Path) -> AsyncIterator[Controller]:
    """A controller with an empty database."""
    async with controller(broker.controller, tmp_path / "data") as running:
        yield running


@pytest.fixture
async def line(broker: MosquittoContainer) -> AsyncIterator[dict[NodeName, fleet.Node]]:
    """Two sites of three nodes."""
    async with Client(broker.admin, identifier="line", clean_start=True, session_expiry_s=0) as client:
        yield {name: fleet.Node(client, name, period_s=600) for name in ALL}


async def load(page: Page, url: str) -> None:
    """Load the page with all its files, and wait until it follows the stream.

    When a container on this machine starts or ends, an address of the host comes or goes, seconds later perhaps, and
    Chromium gives up what it is asking for at that moment, 127.0.0.1 or not. A page that misses a module stays dead.
    """
    cut: list[str] = []

    def note(request: Request) -> None:
        if request.failure == NETWORK_CHANGED:
            cut.append(request.url)

    page.on("requestfailed", note)
    for attempt in range(LOADS):
        cut.clear()
        try:
            await (page.reload() if attempt else page.goto(url))
        except Error as error:
            if NETWORK_CHANGED not in str(error):
                raise
            cut.append(url)
        if all(each.endswith("/events") for each in cut):  # the page itself asks again for its stream
            break
    await expect(page.locator("body")).to_have_attribute("data-stream", "live")


@contextlib.asynccontextmanager
async def opened(browser: Browser, url: str, *, width: int = 1440, scheme: str = "light") -> AsyncIterator[Page]:
    """A page that may say nothing on its console."""
    size = {"width": width, "height": 900}
    page = await browser.new_page(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    await load(page, url)
    yield page
    await page.close()
    unexpected = [text for text in said if "ERR_" not in text]  # the network's own words, when it is cut on purpose
    assert unexpected == []


async def begin(line: dict[NodeName, fleet.Node]) -> None:
    """Everybody comes; then one is lost and one falls silent."""
    line[QUIET].period_s = 0.5
    for node in line.values():
        await node.come()
    await line[WELL].beat(plcs=(fleet.plc("press"),), apps=(fleet.measured("press-view"),))
    await line[WELL].tell(fleet.report(WELL, "press-view", desired=4, running=4))
    await line[UPDATING].beat(plcs=(fleet.plc("press"),), host=fleet.host(41, 2 * fleet.GIB))
    updating = fleet.report(UPDATING, "press-view", status=AppStatus.DEPLOYING, desired=5, running=4, reason="pulling")
    await line[UPDATING].tell(updating)
    await line[AILING].beat(plcs=(fleet.plc("coater"), fleet.plc("oven", connected=False, error="BadConnectionClosed")))
    failed = "exit code 78: RECIPE_URL is not set"
    await line[AILING].tell(fleet.report(AILING, "recipe-sync", status=AppStatus.FAILED, running=None, reason=failed))
    await deployed_in_vain(line[AILING])
    await line[GONE].beat(plcs=(fleet.plc("press"),))
    await line[GONE].go()
    await line[QUIET].beat(plcs=(fleet.plc("robot-3"), fleet.plc("robot-4")))
    await line[POOR].beat(plcs=(fleet.plc("robot-5", quality=0.79),), spool=fleet.spool(1846, 7_340_032, 0, 310))


async def deployed_in_vain(node: fleet.Node) -> None:
    """A deploy of an app that ends as failed."""
    error = Fault(
        phase="probe",
        component="container",
        element="recipe-sync",
        category=Category.UNHEALTHY,
        message="it ended three times with exit code 78",
    )
    phases = (
        {"phase": Phase.ACCEPTED},
        {"phase": Phase.RUNNING, "progress": Progress(step="pull", done_bytes=31_000_000, total_bytes=48_000_000)},
        {"phase": Phase.FAILED, "left": Left.BROKEN, "error": error},
    )
    for seq, phase in enumerate(phases):
        said = {"command_id": "deploy-3", "seq": seq, "verb": "deploy", "app": "recipe-sync", **phase}
        await node.end(Outcome(node=str(node.name), at=fleet.now(), **said))


async def test_the_page_shows_every_node_with_its_word_and_changes_as_messages_come(
    browser: Browser, centre: Controller, line: dict[NodeName, fleet.Node]
) -> None:
    async with opened(browser, centre.url) as page:
        await expect(page.locator("#none")).to_contain_text("No node has been heard of yet")
        await begin(line)
        for name, word in (
            (WELL, "Online"),
            (UPDATING, "Online"),
            (AILING, "Degraded"),
            (GONE, "Offline"),
            (POOR, "Degraded"),
            (QUIET, "Offline"),
        ):
            await expect(page.locator(f'tr[data-key="{name}"] .state-line b')).to_have_text(word, timeout=10_000)
        await expect(page.locator(f'tr[data-key="{AILING}"]')).to_contain_text("oven is not connected")
        await expect(page.locator(f'tr[data-key="{UPDATING}"] .c-apps')).to_contain_text("r4 → r5")
        await expect(page.locator('[data-status="online"] .number')).to_have_text("2")
        await line[WELL].beat(plcs=(fleet.plc("press", quality=0.5),))
        await expect(page.locator(f'tr[data-key="{WELL}"] .state-line b')).to_have_text("Degraded")
        await expect(page.locator("#news")).to_have_text("press-1 at augsburg is degraded")
        await line[POOR].go()
        await expect(page.locator(f'tr[data-key="{POOR}"] .state-line b')).to_have_text("Offline")
        await expect(page.locator('[data-status="offline"] .number')).to_have_text("3")
        await line[POOR].clear(Kind.PRESENCE)
        await expect(page.locator(f'tr[data-key="{POOR}"]')).to_have_count(0)
        await expect(page.locator('[data-status="offline"] .number')).to_have_text("2")


async def test_ages_are_counted_on_the_page(
    browser: Browser, centre: Controller, line: dict[NodeName, fleet.Node]
) -> None:
    async with opened(browser, centre.url) as page:
        await line[WELL].beat()
        seen = page.locator(f'tr[data-key="{WELL}"] .c-seen')
        await expect(seen).to_contain_text("just now")
        await expect(seen).to_contain_text("2 s ago", timeout=5_000)


async def test_the_age_of_a_last_value_grows_when_no_heartbeat_comes(
    browser: Browser, centre: Controller, line: dict[NodeName, fleet.Node]
) -> None:
    await line[WELL].beat(plcs=(fleet.plc("press"),))
    async with opened(browser, f"{centre.url}/#{WELL}") as page:
        last_value = page.locator("#panel dt", has_text="Last value").locator("+ dd")
        await expect(last_value).to_have_text("3 s ago", timeout=10_000)


async def test_an_address_that_cannot_be_read_opens_no_node_and_breaks_nothing(
    browser: Browser, centre: Controller, line: dict[NodeName, fleet.Node]
) -> None:
    async with opened(browser, f"{centre.url}/#%zz") as page:
        await line[WELL].beat()
        await expect(page.locator(f'tr[data-key="{WELL}"] .c-seen')).to_contain_text("2 s ago", timeout=5_000)


async def test_markup_in_what_a_node_says_is_shown_as_text(
    browser: Browser, centre: Controller, line: dict[NodeName, fleet.Node]
) -> None:
    hostile = """"><img src=x onerror="document.title='owned'"><script>document.title='owned'</script>"""
    await line[WELL].beat(plcs=(fleet.plc(hostile, connected=False, error=hostile),), version=hostile)
    await line[WELL].tell(fleet.report(WELL, "hmi", status=AppStatus.FAILED, reason=hostile))
    async with opened(browser, f"{centre.url}/#{WELL}") as page:
        await expect(page.locator("#panel .why")).to_contain_text(hostile)
        assert await page.locator("#panel :is(img, script), #sites :is(img, script)").count() == 0
        assert await page.title() == "Fleet · Millwright"


async def test_a_node_opens_by_keyboard_with_its_reasons_and_commands(
    browser: Browser, centre: Controller, line: dict[NodeName, fleet.Node]
) -> None:
    await begin(line)
    async with opened(browser, centre.url) as page:
        await page.locator(f'tr[data-key="{AILING}"] .node-name').focus()
        await page.keyboard.press("Enter")
        panel = page.locator("#panel")
        await expect(panel.locator("h2")).to_have_text("coating-1")
        await expect(panel).to_contain_text("recipe-sync has failed: exit code 78")
        await expect(panel.locator(".times")).to_contain_text("it ended three times with exit code 78")
        await expect(panel.locator(".times")).to_contain_text("31 MB of 48 MB")
        assert page.url.endswith("#augsburg/coating-1")
        await page.keyboard.press("Escape")
        await expect(panel).to_be_hidden()
        await expect(page.locator(f'tr[data-key="{AILING}"] .node-name')).to_be_focused()
        await page.keyboard.press("ArrowDown")
        await expect(page.locator(f'tr[data-key="{WELL}"] .node-name')).to_be_focused()


async def test_nodes_are_filtered_by_word_and_by_status(
    browser: Browser, centre: Controller, line: dict[NodeName, fleet.Node]
) -> None:
    await begin(line)
    async with opened(browser, centre.url) as page:
        rows = page.locator("tr[data-key]")
        await expect(rows).to_have_count(6)
        await page.keyboard.press("/")
        await page.keyboard.type("bremen robot")
        await expect(rows).to_have_count(2)
        await expect(page.locator("#shown")).to_have_text("2 of 6 nodes")
        await page.keyboard.press("Escape")
        await page.locator('[data-status="degraded"]').click()
        await expect(rows).to_have_count(2)
        await line[WELL].beat(plcs=(fleet.plc("press", connected=False),))
        await expect(rows).to_have_count(3)


async def test_the_page_says_that_its_stream_is_lost_and_finds_it_again(
    browser: Browser, broker: MosquittoContainer, tmp_path: Path, line: dict[NodeName, fleet.Node]
) -> None:
    async with controller(broker.controller, tmp_path / "data") as first:
        listen = first.url.removeprefix("http://")
        async with opened(browser, first.url) as page:
            await line[WELL].beat()
            await expect(page.locator("tr[data-key]")).to_have_count(1)
            await first.end()
            await expect(page.locator("#lost")).to_contain_text("The connection to the controller is lost")
            await expect(page.locator("body")).to_have_attribute("data-stream", "lost")
            await page.screenshot(path=ARTIFACTS / "page-lost.png")
            async with controller(broker.controller, tmp_path / "data", "--listen", listen):
                await expect(page.locator("#lost")).to_be_hidden(timeout=15_000)
                await line[UPDATING].beat()
                await expect(page.locator("tr[data-key]")).to_have_count(2)


async def test_the_page_says_that_the_controller_has_lost_its_broker(
    browser: Browser, centre: Controller, broker: MosquittoContainer
) -> None:
    async with opened(browser, centre.url) as page:
        await expect(page.locator("#links")).to_contain_text("Broker connected")
        broker.stop()
        await expect(page.locator("#links")).to_contain_text("Broker away for", timeout=15_000)
        await expect(page.locator("#lost")).to_contain_text("The controller has lost its broker")
        broker.start()
        await expect(page.locator("#lost")).to_be_hidden(timeout=25_000)


@pytest.mark.parametrize(
    ("width", "scheme"), [(1440, "light"), (1440, "dark"), (1024, "light"), (1024, "dark"), (400, "light")]
)
async def test_nothing_is_wider_than_the_page(
    browser: Browser, centre: Controller, line: dict[NodeName, fleet.Node], width: int, scheme: str
) -> None:
    await begin(line)
    async with opened(browser, centre.url, width=width, scheme=scheme) as page:
        await expect(page.locator("tr[data-key]")).to_have_count(6)
        for _ in range(8):
            await line[WELL].beat(plcs=(fleet.plc("press"),), apps=(fleet.measured("press-view"),))
        await expect(page.locator(f'tr[data-key="{QUIET}"] .state-line b')).to_have_text("Offline", timeout=10_000)
        ARTIFACTS.mkdir(exist_ok=True)
        await page.screenshot(path=ARTIFACTS / f"page-{width}-{scheme}.png")
        assert await page.evaluate("document.documentElement.scrollWidth") == width
        assert await page.evaluate(CELLS_THAT_OVERFLOW) == []
        assert await page.evaluate(BEYOND_THE_EDGE) == []
        await page.locator(f'tr[data-key="{AILING}"] .node-name').click()
        await expect(page.locator("#panel .times")).to_be_visible()
        await page.screenshot(path=ARTIFACTS / f"page-{width}-{scheme}-node.png")
