"""Pictures of every state of the survey page, to be looked at: `python -m tests.screenshots OUT_DIR [STATE …]`."""

import logging
import sys
from itertools import product
from pathlib import Path

from playwright.sync_api import Browser

from tests.browser.conftest import chromium, serving
from tests.web.states import STATES, make_app

VIEWS = ((360, 740, 2), (1280, 800, 1))
THEMES = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "forced": {"color_scheme": "dark", "forced_colors": "active"},
}


def take(browser: Browser, url: str, names: list[str], folder: Path) -> None:
    """Take the pictures of the named states, each called like `form-360-dark.png`."""
    for (width, height, scale), theme in product(VIEWS, THEMES):
        viewport = {"width": width, "height": height}
        page = browser.new_page(viewport=viewport, device_scale_factor=scale, **THEMES[theme])
        for name in names:
            page.goto(f"{url}/states/{name}")
            page.screenshot(path=folder / f"{name}-{width}-{theme}.png", full_page=True)
        page.close()


def main(folder: Path, names: list[str]) -> None:
    """Take the pictures of the named states, or of all."""
    folder.mkdir(parents=True, exist_ok=True)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with serving(make_app()) as url, chromium() as browser:
        take(browser, url, names or list(STATES), folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
