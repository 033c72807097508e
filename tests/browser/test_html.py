"""The HTML of pages and e-mails is valid by html-validate's recommended rules."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from service.delivery.email.text import write_html
from service.delivery.email.words import write_words
from service.surveys.ratings import RatingType
from service.texts.catalog import load_language
from tests.browser import tools
from tests.delivery.logos import PNG_THEME
from tests.delivery.test_email_text import BRANDING, EMAIL
from tests.web.pseudo import PSEUDO
from tests.web.states import STATES, make_app, show

LANGUAGES = (*(load_language(code) for code in ("en", "de", "ar", "el")), PSEUDO)
RULES = {
    "root": True,
    "extends": ["html-validate:recommended"],
    # The list of languages has unquoted attributes, which are valid: a byte there is thirty bytes in every page.
    # Its buttons have no type: the default is to submit the form.
    "rules": {
        "attr-quotes": ["error", {"unquoted": True}],
        "no-implicit-button-type": "off",
        "no-implicit-input-type": "off",
    },
}
MAIL_RULES = {
    # Mail programs are older than browsers, and need these exceptions.
    "no-inline-style": "off",  # Many of them ignore style sheets.
    "no-deprecated-attr": "off",  # Outlook supports these attributes, but not the CSS that replaced them.
    "no-conditional-comment": "off",  # Only Outlook on Windows reads them.
    "prefer-tbody": "off",  # Saves bytes.
}


def find_faults(folder: Path, rules: Mapping[str, object]) -> list[str]:
    """Return html-validate's findings for the pages in a folder, with one run of node."""
    try:
        command = tools.program("html-validate")
    except tools.ToolMissing as missing:
        tools.skip_without(missing)
    config = folder / "rules.json"
    config.write_text(json.dumps(rules))
    run = subprocess.run(
        [*command, f"--config={config}", "--formatter=json", *sorted(map(str, folder.glob("*.html")))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout, run.stderr
    return [
        f"{Path(file['filePath']).name}: {message['ruleId']}: {message['message']}"
        for file in json.loads(run.stdout)
        for message in file["messages"]
    ]


def test_html_of_every_state_is_valid(tmp_path: Path) -> None:
    with make_app().test_request_context():
        for name in STATES:
            for language in LANGUAGES:
                (tmp_path / f"{name}-{language.code}.html").write_bytes(show(name, language).data)
    assert find_faults(tmp_path, RULES) == []


def test_html_of_every_email_is_valid(tmp_path: Path) -> None:
    for rating in RatingType:
        for language in LANGUAGES:
            email = replace(EMAIL, rating=rating, language=language)
            words = write_words(language, rating, brand=BRANDING.brand, channel="WidgetChat", closed_on=email.closed_on)
            for kind, theme in (("name", BRANDING.theme), ("logo", PNG_THEME)):
                file = tmp_path / f"{rating.name}-{language.code}-{kind}.html"
                file.write_text(write_html(replace(BRANDING, theme=theme), email, words), encoding="utf-8")
    assert find_faults(tmp_path, {**RULES, "rules": MAIL_RULES}) == []


def test_check_finds_invalid_html(tmp_path: Path) -> None:
    with make_app().test_request_context():
        html = show("form").get_data(as_text=True)
    for number, fault in enumerate(('<p id="about"></p>', "<p><div></div></p>", '<img src="x">', "<li>x</li>")):
        (tmp_path / f"{number}.html").write_text(html.replace("</main>", f"{fault}</main>"), encoding="utf-8")
    assert {each.partition(":")[0] for each in find_faults(tmp_path, RULES)} == {
        f"{number}.html" for number in range(4)
    }
