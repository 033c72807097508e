"""Pictures of every state of the survey page, to be looked at: `python -m tests.screenshots OUT_DIR [STATE …]`."""

import logging
import sys
from itertools import product
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.browser.conftest import chromium, serving
from tests.web.states import STATES, make_app

VIEWS = ((360, 740, 2), (1280, 800, 1))
THEMES = ("light", "dark", "forced")


def window(browser: Browser, width: int, height: int, scale: int, theme: str) -> Page:
    """Open a window of this size; `forced` is Windows' dark contrast theme."""
    return browser.new_page(
        viewport={"width": width, "height": height},
        device_scale_factor=scale,
        color_scheme="light" if theme == "light" else "dark",
        forced_colors="active" if theme == "forced" else "none",
    )


def take(browser: Browser, url: str, names: list[str], folder: Path) -> None:
    """Take the pictures of the named states, each called like `form-360-dark.png`."""
    for view, theme in product(VIEWS, THEMES):
        page = window(browser, *view, theme)
        for name in names:
            page.goto(f"{url}/states/{name}")
            page.screenshot(path=folder / f"{name}-{view[0]}-{theme}.png", full_page=True)
        page.close()


def main(folder: Path, names: list[str]) -> None:
    """Take the pictures of the named states, or of all."""
    folder.mkdir(parents=True, exist_ok=True)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with serving(make_app()) as url, chromium() as browser:
        take(browser, url, names or list(STATES), folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
