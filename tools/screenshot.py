"""Take the README's picture of a page that is up: `python tools/screenshot.py URL docs/images/fleet.png`.

With Debian's Chromium, headless; nothing but the given address is asked for.
"""

import argparse
import asyncio
import sys

from playwright.async_api import async_playwright

CHROMIUM = "/usr/bin/chromium"
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


async def take(url: str, path: str, *, width: int, height: int, scheme: str) -> None:
    """Open `url`, wait until nodes are shown and settled, and write a PNG."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        page = await browser.new_page(
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        await page.goto(url)
        await page.wait_for_timeout(15_000)
        await page.screenshot(path=path)
        await browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("url")
    parser.add_argument("path")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=800)
    parser.add_argument("--scheme", choices=["light", "dark"], default="light")
    given = parser.parse_args()
    asyncio.run(take(given.url, given.path, width=given.width, height=given.height, scheme=given.scheme))
    sys.exit(0)
