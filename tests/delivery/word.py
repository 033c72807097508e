"""Reads an e-mail like Outlook on Windows, which renders with Word. caniemail.com lists Word's rules.

Nothing is drawn: `faults` lists the differences from other mail programs.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser

KNOWN = {
    *("background", "background-color", "border", "border-top", "border-color", "color", "font-family", "font-size"),
    *("font-weight", "line-height", "margin", "padding", "text-align", "text-decoration", "width", "display"),
    *("mso-font-width", "mso-hide", "mso-text-raise"),
}
"""Properties supported by Word, each with limits (below)."""

DEGRADE = {
    "border-radius": "the corners are square",
    "color-scheme": "Outlook has its own dark mode",
    "max-width": "a surrounding table has the same fixed width",
    "overflow-wrap": "the window is wide enough for every word",
    "table-layout": "numbers have equal width anyway",
    "text-wrap": "lines are not balanced",
}
"""Properties ignored by Word, with the reason why that is harmless. A property in neither list is a fault."""

_FOR_WORD = re.compile(r"<!--\[if mso\]>(.*?)<!\[endif\]-->", re.DOTALL)
_FOR_OTHERS = re.compile(r"<!--\[if !mso\]><!-->.*?<!--<!\[endif\]-->", re.DOTALL)
_MEDIA = re.compile(r"@media[^{]*\{(?:[^{}]*\{[^}]*\})*\s*\}")
_RULE = re.compile(r"([^{}]+)\{([^}]*)\}")
_PIXELS = re.compile(r"\d+(px)?")
_VOID = {"meta", "br", "img", "hr"}


@dataclass(slots=True)
class Element:
    """An element with its content: elements and texts."""

    tag: str
    attributes: Mapping[str, str]
    parent: "Element | None" = None
    content: list["Element | str"] = field(default_factory=list)

    @property
    def style(self) -> dict[str, str]:
        return read_style(self.attributes.get("style", ""))

    @property
    def text(self) -> str:
        return "".join(each if isinstance(each, str) else each.text for each in self.content)

    def walk(self) -> Iterator["Element"]:
        yield self
        for each in self.content:
            if isinstance(each, Element):
                yield from each.walk()

    def ancestors(self, tag: str) -> Iterator["Element"]:
        found = self.parent
        while found:
            if found.tag == tag:
                yield found
            found = found.parent


class _Reader(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.root = self._at = Element("", {})
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = Element(tag, {name: value or "" for name, value in attrs}, self._at)
        self._at.content.append(found)
        if tag not in _VOID:
            self._at = found

    def handle_endtag(self, tag: str) -> None:
        assert self._at.tag == tag, f"</{tag}> ends <{self._at.tag}>"
        assert self._at.parent
        self._at = self._at.parent

    def handle_data(self, data: str) -> None:
        self._at.content.append(data)


def read_style(text: str) -> dict[str, str]:
    pairs = (each.partition(":") for each in text.split(";") if each.strip())
    return {name.strip(): value.strip() for name, _, value in pairs}


def read(html: str) -> Element:
    """Parse an e-mail like Word, with the parts for Word and without those for others."""
    return _Reader(_FOR_WORD.sub(r"\1", _FOR_OTHERS.sub("", html))).root


def rules(root: Element) -> dict[str, dict[str, str]]:
    """Return the style rules by selector, without @media, which Word ignores."""
    sheet = _MEDIA.sub("", "".join(each.text for each in root.walk() if each.tag == "style"))
    found: dict[str, dict[str, str]] = {}
    for selectors, body in _RULE.findall(sheet):
        for selector in selectors.split(","):
            found.setdefault(selector.strip(), {}).update(read_style(body))
    return found


def faults(html: str) -> list[str]:
    """List everything rendered differently by Word."""
    root = read(html)
    sheet = rules(root)
    found = [fault for selector, style in sheet.items() for fault in _of_style(selector, style)]
    for each in root.walk():
        found += [*_of_style(each.tag, each.style), *_of_layout(each)]
        if each.tag == "td" and _answer(each):
            found += _of_answer(each, sheet)
    return found


def _of_style(where: str, style: Mapping[str, str]) -> Iterator[str]:
    tag = where.rpartition(" ")[2].partition(".")[0]
    for name, value in style.items():
        declaration = f"{where} {{{name}: {value}}}"
        if name not in KNOWN and name not in DEGRADE:
            yield f"{declaration}: unknown"
        if re.search(r"\b\d*\.?\d+(rem|vw|vh|ch)\b|calc\(|var\(|url\(|!important", value):
            yield f"{declaration}: a value that is unknown"
        if name == "margin" and (tag in {"div", "span", "a", "table"} or re.search(r"-\d|auto", value)):
            yield f"{declaration}: margins are for paragraphs, and neither negative nor auto"
        if name == "width" and tag not in {"table", "td"}:
            yield f"{declaration}: a width is for tables and cells"
        if (
            name.startswith("border")
            and name != "border-radius"
            and any(int(px) > 8 for px in re.findall(r"(\d+)px", value))
        ):
            yield f"{declaration}: no border is wider than 8px"
        if name == "display" and value not in {"none", "block"}:
            yield f"{declaration}: a layout that is unknown"


def _of_layout(each: Element) -> Iterator[str]:
    style = each.style
    if each.tag in {"div", "table"} and "max-width" in style and not _has_fixed_width(each):
        yield f"{each.tag}: max-width alone is as wide as the window"
    if style.get("display") == "none" and style.get("mso-hide") != "all":
        yield f"{each.tag}: visible without mso-hide"
    if each.tag == "img" and not all(_PIXELS.fullmatch(each.attributes.get(name, "")) for name in ("width", "height")):
        yield "img: without width and height it is as large as its file"
    if each.tag == "table" and "cellspacing" not in each.attributes:
        yield "table: without cellspacing there are gaps"
    if "padding" in style and each.tag not in {"td", "body"} and not (each.tag == "a" and _is_cell(each.parent)):
        yield f"{each.tag}: padding is for cells"
    if style.get("display") == "block" and not (each.tag == "a" and _is_cell(each.parent)):
        yield f"{each.tag}: is no block"


def _is_cell(each: Element | None) -> bool:
    return each is not None and each.tag == "td"


def _has_fixed_width(each: Element) -> bool:
    """Whether a surrounding table has this width, as attribute and as style. Only the style scales with the screen."""
    wanted = each.style["max-width"]
    tables = [each, *each.ancestors("table")]
    return any(f"{table.attributes.get('width')}px" == table.style.get("width") == wanted for table in tables)


def _answer(cell: Element) -> Element | None:
    """Return the link of a button-like cell: a link with a border around it."""
    links = [each for each in cell.content if isinstance(each, Element) and each.tag == "a"]
    return links[0] if links and "border" in cell.style else None


def _of_answer(cell: Element, sheet: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """Check that the link fills its cell. Word ignores a link's padding, so spaces in it replace that."""
    link = _answer(cell)
    assert link
    table = next(cell.ancestors("table"))
    if cell.content != [link]:
        yield "answer: more than its link is in the cell"
    is_padded = any(
        style.get(name) for name in ("padding", "mso-padding-alt") for style in (cell.style, sheet.get(".k td", {}))
    )
    if is_padded or table.attributes.get("cellpadding") != "0":
        yield "answer: the cell is padded, and its edge is no link"
    spaces = [each for each in link.content if isinstance(each, Element) and not each.text.strip()]
    styles = [{**sheet.get(f".k {each.tag}", {}), **each.style} for each in spaces]
    if len(spaces) < 2 or link.content[0] is not spaces[0] or link.content[-1] is not spaces[-1]:
        yield "answer: no space in the link before and after its text"
    elif not all(re.fullmatch(r"[1-5]\d\d%|\d\d?%", style.get("mso-font-width", "")) for style in styles):
        yield "answer: a space that isn't stretched, or further than Word can"
    elif not _points(styles[0]) > _points(sheet.get(".k a", {})) > _points(styles[-1]):
        yield "answer: its link is as high as its text"
    if table.attributes.get("width") and len(cell.parent.content if cell.parent else []) == 1:
        yield "answer: the cell is wider than its link"


def _points(style: Mapping[str, str]) -> float:
    return float(style.get("mso-text-raise", "0").removesuffix("pt"))
