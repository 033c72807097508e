"""The style sheet inside every page: only the sections for its HTML, minified, in the colours of the brand."""

import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from string import ascii_lowercase

from rcssmin import cssmin  # type: ignore[import-untyped]

from service.surveys.theme import DEFAULT_THEME, Theme

_PROPERTY = re.compile(r"--([a-z]+)")
_SECTION = re.compile(r"^/\* for (.+) \*/$", re.MULTILINE)


def stylesheet_for(html: str, theme: Theme = DEFAULT_THEME) -> str:
    """Return the style sheet of a page with this HTML."""
    return _minify("".join(rules for marker, rules in _sections() if marker in html), theme)


@cache
def read_stylesheet(path: str, theme: Theme = DEFAULT_THEME) -> str:
    """Return a whole style sheet below this folder, minified, in the colours of a brand."""
    return _minify(files("service.web").joinpath(path).read_text(encoding="utf-8"), theme)


@cache
def _minify(rules: str, theme: Theme) -> str:
    for default, own in ((DEFAULT_THEME.light, theme.light), (DEFAULT_THEME.dark, theme.dark)):
        rules = rules.replace(default.css, own.css)
    letters: dict[str, str] = {}
    # The names of the custom properties would take 150 bytes of each page.
    return _PROPERTY.sub(
        lambda found: f"--{letters.setdefault(found[1], ascii_lowercase[len(letters)])}", cssmin(rules)
    )


@cache
def _sections() -> Sequence[tuple[str, str]]:
    """Split the file into sections. Each is for pages with the piece of HTML in its heading."""
    text = files("service.web").joinpath("templates/style.css").read_text(encoding="utf-8")
    _, *found = _SECTION.split(text)
    return list(zip(found[::2], found[1::2], strict=True))
