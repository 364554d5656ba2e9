"""Takes the picture of the swipe page, docs/pictures/page.png, with a Chromium that is installed.

python docs/record_page.py --data-dir DIR serves the published model of a data directory; nothing in it changes.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from playwright.sync_api import sync_playwright
from record_examples import serving_a_copy
from record_report import installed_browser

TARGET = Path(__file__).parent / "pictures" / "page.png"
WIDTH, HEIGHT = 1120, 700
LIKES = ("The Matrix", "Rashomon", "Casablanca")


def record(address: str, target: Path) -> None:
    """Like some films, answer some cards, and write what is on the screen then."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=installed_browser(), args=["--no-sandbox"])
        page = opened.new_page(
            viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light", reduced_motion="reduce"
        )
        page.goto(address)
        for title in LIKES:
            page.get_by_role("searchbox").fill(title)
            page.get_by_role("button", name=f"＋ {title}").first.click()
        page.get_by_role("button", name=re.compile("^Start with")).click()
        for key in ("ArrowRight", "ArrowLeft", "ArrowUp", "ArrowRight"):
            page.wait_for_selector(".card:not(.gone)")
            page.wait_for_timeout(500)
            page.keyboard.press(key)
        page.wait_for_timeout(800)
        page.screenshot(path=target)
        opened.close()


def main() -> None:
    """Take the picture of the page on a data directory with a published model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=TARGET)
    asked = parser.parse_args()
    with serving_a_copy(asked.data_dir) as address:
        record(address, asked.out)


if __name__ == "__main__":
    main()
