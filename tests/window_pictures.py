"""Pictures of every view of the operator's window, of a running `make demo-data`, into build/screenshots.

`python -m tests.window_pictures http://127.0.0.1:8000/operator --login demo:PASSWORD`
"""

from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page

from tests.browser.conftest import chromium
from tests.processes import ROOT

VIEWS: Final = {
    "today": "",
    "funnel": "/funnel",
    "results": "/results?rating=csat",
    "answers": "/answers",
    "story": "/story?q=20001",
    "failed": "/failed",
    "set-up": "/set-up",
}
PHONE, DESKTOP = 390, 1280


@contextmanager
def window(browser: Browser, login: str, width: int, theme: str) -> Iterator[Page]:
    """Open a window of a phone or a desktop, logged in."""
    user, _, password = login.partition(":")
    with browser.new_context(
        viewport={"width": width, "height": 800},
        device_scale_factor=2 if width == PHONE else 1,
        color_scheme="dark" if theme == "dark" else "light",
        java_script_enabled=False,
        http_credentials={"username": user, "password": password},
    ) as context:
        yield context.new_page()


def take(url: str, login: str, folder: Path) -> None:
    """Take the pictures, with names like `results-390-dark.png`."""
    folder.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        for width in (PHONE, DESKTOP):
            for theme in ("light", "dark"):
                with window(browser, login, width, theme) as page:
                    for name, path in VIEWS.items():
                        response = page.goto(url + path)
                        assert response, name
                        assert response.ok, f"{name}: {response.status}"
                        page.screenshot(path=folder / f"{name}-{width}-{theme}.png", full_page=True)


if __name__ == "__main__":
    parser = ArgumentParser(description="Takes pictures of the operator's window.")
    parser.add_argument("url")
    parser.add_argument("--login", required=True, help="user:password, as `make demo-data` prints them")
    given = parser.parse_args()
    take(given.url, given.login, ROOT / "build" / "screenshots")
