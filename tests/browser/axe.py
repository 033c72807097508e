"""Runs axe-core on every state of a page, in several languages, screens and themes."""

from dataclasses import dataclass, field
from typing import Any, Literal

from playwright.sync_api import Browser, Page

from service.texts.catalog import load_language
from tests.browser.tools import axe_source
from tests.web.pseudo import PSEUDO
from tests.web.states import STATES, show

TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
LANGUAGES = ("en", "de", "ar", PSEUDO.code)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
VIEWS = tuple((width, scheme) for width in (360, 1280) for scheme in SCHEMES)
RUN_JS = """([html, tags]) => {
    document.open()
    document.write(html)
    document.close()
    const name = each => `${each.id}: ${each.nodes.map(node => node.html).join(' ')}`
    const options = {runOnly: {type: 'tag', values: tags}, resultTypes: ['violations', 'incomplete']}
    return axe.run(document, options).then(({violations, incomplete}) => [...violations, ...incomplete].map(name))
}"""
"""Write a page and check it. Loading a page is slower: axe-core is compiled each time."""
FORCED_JS = """() => {
    const read = CSSStyleDeclaration.prototype.getPropertyValue
    CSSStyleDeclaration.prototype.getPropertyValue = function (name) {
        return name === '-webkit-text-fill-color' ? '' : read.call(this, name)
    }
}"""
"""Hide a property from axe-core. With forced colours, Chromium returns the original colour in it instead of the
painted one. Without it axe-core reads `color`, which is correct."""


@dataclass
class Tally:
    """The number of axe-core's runs, and its findings."""

    runs: int = 0
    found: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"axe-core: {self.runs} runs, {len(self.found)} violations"


class Windows:
    """A window with axe-core for each view, and one with forced colours. JavaScript is on for axe-core only."""

    def __init__(self, browser: Browser) -> None:
        self.views = {(width, scheme): _open(browser, width, color_scheme=scheme) for width, scheme in VIEWS}
        self.forced = _open(browser, VIEWS[-1][0], color_scheme="dark", forced_colors="active")
        self.forced.evaluate(FORCED_JS)

    def audit_state(self, name: str, tally: Tally, *, every_language: bool = False) -> list[str]:
        """Run axe-core on a state in each view, and in English with forced colours.

        Return the violations, and the elements that axe-core could not decide. Each view has a different language,
        and the next state has them in other views. Only `make figures` combines all languages and views.
        """
        before, number = len(tally.found), list(STATES).index(name)
        for place, (view, page) in enumerate(self.views.items()):
            for lang in LANGUAGES if every_language else [LANGUAGES[(number + place) % len(LANGUAGES)]]:
                _run(page, tally, name, lang, str(view))
        _run(self.forced, tally, name, "en", "forced colours")
        return tally.found[before:]


def _open(browser: Browser, width: int, **media: Any) -> Page:
    page = browser.new_page(viewport={"width": width, "height": 740}, **media)
    page.evaluate(axe_source())
    return page


def _run(page: Page, tally: Tally, name: str, lang: str, view: str) -> None:
    tally.runs += 1
    html = show(name, PSEUDO if lang == PSEUDO.code else load_language(lang)).get_data(as_text=True)
    tally.found += [f"{name} {lang} {view}: {each}" for each in page.evaluate(RUN_JS, [html, TAGS])]
