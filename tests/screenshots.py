"""Pictures of every state of the survey page and of the e-mail, or of the operator's window.

`python -m tests.screenshots [STATE …] [--lang CODE] [--window] [--into FOLDER]`
"""

import logging
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from playwright.sync_api import Browser, HttpCredentials, Page, ViewportSize

from service.delivery.email.text import write_html
from service.delivery.email.words import write_words
from service.surveys.language_codes import LANGUAGES
from service.surveys.ratings import RatingType
from service.texts.catalog import load_language
from tests import sandboxes
from tests.browser.conftest import chromium, serving
from tests.delivery.test_email_text import BRANDING, EMAIL
from tests.processes import ROOT, RedisServer
from tests.web.operator.served_window import served_window
from tests.web.operator.window_client import PASSWORDS
from tests.web.pseudo import PSEUDO
from tests.web.states import STATES, make_app


@dataclass(frozen=True, slots=True)
class View:
    """A screen and a theme. `forced` is Windows' dark contrast theme."""

    lang: str
    width: int
    theme: Literal["light", "dark", "forced"] = "light"

    def __str__(self) -> str:
        return f"{self.lang}-{self.width}-{self.theme}"


VIEWS = (
    View("en", 360),
    View("en", 360, "dark"),
    View("en", 1280),
    View("en", 1280, "dark"),
    View("en", 1280, "forced"),
    View("ar", 360),
    View("de", 320),
)
MAIL_VIEWS = (View("en", 360), View("en", 640), View("en", 640, "dark"), View("ar", 360))


@contextmanager
def window(browser: Browser, view: View) -> Iterator[Page]:
    """Open a window for a view. Small windows are phones, with twice the pixels."""
    with browser.new_context(
        viewport={"width": view.width, "height": 740},
        device_scale_factor=2 if view.width < 640 else 1,
        color_scheme="light" if view.theme == "light" else "dark",
        forced_colors="active" if view.theme == "forced" else "none",
    ) as context:
        yield context.new_page()


def take_pages(browser: Browser, names: Sequence[str], views: Sequence[View], folder: Path) -> None:
    """Take pictures of the named states, with names like `form-de-320-light.png`."""
    with serving(make_app()) as url:
        for view in views:
            with window(browser, view) as page:
                for name in names:
                    page.goto(f"{url}/states/{name}?lang={view.lang}")
                    page.screenshot(path=folder / f"{name}-{view}.png", full_page=True)


def take_mails(browser: Browser, folder: Path) -> None:
    """Take the pictures of the e-mail of each kind of survey."""
    for view in MAIL_VIEWS:
        translated = replace(EMAIL, language=load_language(view.lang))
        with window(browser, view) as page:
            for rating in RatingType:
                email = replace(translated, rating=rating)
                words = write_words(
                    email.language, rating, brand=BRANDING.brand, channel=email.channel, closed_on=email.closed_on
                )
                page.set_content(write_html(BRANDING, email, words))
                page.screenshot(path=folder / f"mail-{rating.name.lower()}-{view}.png", full_page=True)


def take_window(browser: Browser, folder: Path) -> None:
    """Take the pictures of each view of the operator's window, with names like `results-390-dark.png`."""
    login: HttpCredentials = {"username": "anna", "password": PASSWORDS["anna"]}
    with TemporaryDirectory() as place, sandboxes.sandbox() as sandbox:
        server = RedisServer(Path(place))
        server.start()
        with served_window(server.url, sandbox, Path(place)) as served:
            schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
            for width, scheme in product((390, 1280), schemes):
                size: ViewportSize = {"width": width, "height": 800}
                with browser.new_context(viewport=size, color_scheme=scheme, http_credentials=login) as context:
                    page = context.new_page()
                    for name, path in served.views().items():
                        page.goto(f"{served.url}{path}")
                        page.screenshot(path=folder / f"{name}-{width}-{scheme}.png", full_page=True)
        server.stop()


def main() -> None:
    """Take the pictures of the named states, or of all states and e-mails, in one language if it is arguments."""
    parser = ArgumentParser(prog="python -m tests.screenshots")
    parser.add_argument("states", nargs="*", metavar="STATE", help=", ".join(STATES))
    parser.add_argument("--lang", choices=[*LANGUAGES, PSEUDO.code])
    parser.add_argument("--window", action="store_true", help="the operator's window only")
    parser.add_argument("--into", type=Path, default=ROOT / "build" / "screenshots", metavar="FOLDER")
    arguments = parser.parse_args()
    arguments.into.mkdir(parents=True, exist_ok=True)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    views = [View(arguments.lang, width) for width in (320, 360, 1280)] if arguments.lang else VIEWS
    with chromium() as browser:
        if arguments.window:
            take_window(browser, arguments.into)
            return
        take_pages(browser, arguments.states or list(STATES), views, arguments.into)
        if not arguments.states:
            take_mails(browser, arguments.into)


if __name__ == "__main__":
    main()
