"""Runs axe-core on every state of a page, in the languages, screens and themes that can differ."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Literal

from playwright.sync_api import Browser, Page

from tests.browser.tools import axe_source
from tests.web.pseudo import PSEUDO

TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
WIDTHS = (360, 1280)
LANGUAGES = ("en", "de", "ar", PSEUDO.code)
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
START_JS = """tags => {
    const name = each => `${each.id}: ${each.nodes.map(node => node.html).join(' ')}`
    const options = {runOnly: {type: 'tag', values: tags}, resultTypes: ['violations', 'incomplete']}
    window.found = axe.run(document, options).then(({violations, incomplete}) =>
        [...violations, ...incomplete].map(name))
    return null
}"""
FORCED_JS = """() => {
    const read = CSSStyleDeclaration.prototype.getPropertyValue
    CSSStyleDeclaration.prototype.getPropertyValue = function (name) {
        return name === '-webkit-text-fill-color' ? '' : read.call(this, name)
    }
}"""
"""axe-core takes a text's colour from a property that Chromium gives unforced, though it paints it forced; `color` is
right, and is what axe-core reads without it."""


@dataclass
class Tally:
    """The number of axe-core's runs, and its findings."""

    runs: int = 0
    found: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"axe-core: {self.runs} runs, {len(self.found)} violations"


@contextmanager
def windows(browser: Browser) -> Iterator[list[Page]]:
    """Open a window of each width. axe-core hangs with JavaScript off, so here it is on; our pages have none.

    axe-core comes in by the debugger's own way, which the strict Content-Security-Policy doesn't concern.
    """
    with ExitStack() as opened:
        contexts = [
            opened.enter_context(browser.new_context(viewport={"width": width, "height": 740})) for width in WIDTHS
        ]
        for context in contexts:
            context.add_init_script(axe_source())
        yield [context.new_page() for context in contexts]


def audit_state(pages: list[Page], url: str, tally: Tally, *, themes_everywhere: bool = False) -> list[str]:
    """Run axe-core on a state in each language and width, in English in both themes, and once with forced colours.

    Return the violations, and what axe-core could not decide. The colours are the same in all languages, so the dark
    theme of the others is for `make figures` alone: `themes_everywhere`.
    """
    before = len(tally.found)
    for lang in LANGUAGES:
        for page in pages:
            page.goto(f"{url}?lang={lang}")
        for theme in THEMES if themes_everywhere or lang == "en" else THEMES[:1]:
            for page in pages:
                page.emulate_media(color_scheme=theme)
            _run(pages, tally, theme)
    forced = pages[0]
    forced.goto(f"{url}?lang=en")
    forced.evaluate(FORCED_JS)
    forced.emulate_media(color_scheme="dark", forced_colors="active")
    _run([forced], tally, "forced colours")
    forced.emulate_media(forced_colors="none")
    return tally.found[before:]


def _run(pages: list[Page], tally: Tally, view: str) -> None:
    """Run it in all windows at the same time: each is a process of its own."""
    for page in pages:
        page.evaluate(START_JS, TAGS)
    for page, width in zip(pages, WIDTHS, strict=False):
        tally.runs += 1
        tally.found += [f"{page.url} {width} {view}: {each}" for each in page.evaluate("found")]
