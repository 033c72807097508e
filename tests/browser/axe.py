"""Runs axe-core on every state of a page, in the languages, screens and themes that can differ."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from playwright.sync_api import Browser, Page

from tests.browser.tools import axe_source
from tests.web.pseudo import PSEUDO

TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
WIDTHS = (360, 1280)
LANGUAGES = ("de", "ar", PSEUDO.code, "en")
"""English comes last: what is done with it alone needs no other load."""
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
RUN_JS = """tags => {
    const name = each => `${each.id}: ${each.nodes.map(node => node.html).join(' ')}`
    const options = {runOnly: {type: 'tag', values: tags}, resultTypes: ['violations', 'incomplete']}
    return axe.run(document, options).then(({violations, incomplete}) => [...violations, ...incomplete].map(name))
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
def window(browser: Browser) -> Iterator[Page]:
    """Open a window with axe-core. It hangs with JavaScript off, so here it is on; our pages have none.

    axe-core comes in by the debugger's own way, which the strict Content-Security-Policy doesn't concern.
    """
    with browser.new_context() as context:
        context.add_init_script(axe_source())
        yield context.new_page()


def audit_state(page: Page, url: str, tally: Tally, *, themes_everywhere: bool = False) -> list[str]:
    """Run axe-core on a state in each language and width, in English in both themes, and once with forced colours.

    Return the violations, and what axe-core could not decide. The colours are the same in all languages, so the dark
    theme of the others is for `make figures` alone: `themes_everywhere`.
    """
    before = len(tally.found)
    for lang in LANGUAGES:
        # Loading a page takes longer than anything else here.
        page.goto(f"{url}?lang={lang}")
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 740})
            for theme in THEMES if themes_everywhere or lang == "en" else THEMES[:1]:
                page.emulate_media(color_scheme=theme)
                _run(page, tally, f"{width} {theme}")
    page.evaluate(FORCED_JS)
    page.emulate_media(color_scheme="dark", forced_colors="active")
    _run(page, tally, "forced colours")
    page.emulate_media(forced_colors="none")
    return tally.found[before:]


def _run(page: Page, tally: Tally, view: str) -> None:
    tally.runs += 1
    tally.found += [f"{page.url} {view}: {each}" for each in page.evaluate(RUN_JS, TAGS)]
