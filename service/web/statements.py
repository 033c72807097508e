"""`/privacy` and `/accessibility`: what is kept of a customer, and how to report a barrier. Each page links to them.

They need no link of a survey. `?survey` names a survey with a brand of its own. Without it, or if surveys.toml has no
such survey, they have the installation's brand. A privacy notice of the operator's own (PRIVACY_URL) replaces ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from flask import Blueprint, Response, redirect, request
from flask.typing import ResponseReturnValue

from service.surveys.brand import Brand
from service.surveys.definition import Survey
from service.texts.catalog import N_, Language
from service.web import page_texts
from service.web.language import choose_language, requested_language
from service.web.page_rendering import render_page
from service.web.services import services

bp = Blueprint("statements", __name__)

# Translators: the operator is a company, perhaps with its address: "Northwind Ltd, 1 High Street, Leeds".
RESPONSIBLE = N_("Responsible for this survey: %(operator)s.")
KEPT = N_("What we keep")
KEPT_ANSWER = N_("Your rating, your comment, and which conversation with our support they belong to.")
KEPT_ADDRESS = N_("Your e-mail address, only as long as it takes to send you this survey.")
KEPT_HASHES = N_(
    "A number that stands for you in our support software, and codes made from your e-mail address and phone number. "
    "They keep us from asking you too often, or against your wish."
)
HOW_LONG = N_("How long we keep it")
IN_DIXA = N_("In Dixa, our support software, your answer stays with your conversation.")
OPT_OUTS = N_("If you asked us to stop, we remember that until you change your mind.")
RIGHTS = N_("Your rights")
RIGHTS_WHAT = N_(
    "You can ask us to show, correct or delete what we keep about you. You can also complain to your data protection "
    "authority."
)
ACCESSIBLE = N_(
    "Everybody should be able to use this survey. Its pages are made to meet the standard WCAG 2.2, level AA, and "
    "programs check every version for it."
)
WORKS_WITH = N_("They work with a keyboard alone, with large text, in light and dark colours, and without JavaScript.")
BARRIER = N_("If something does not work for you")
BARRIER_WHAT = N_(
    "Please tell us what you wanted to do, and what stopped you. You can also tell us your rating that way."
)
AUTHORITY = N_("If our reply does not help, you can turn to the authority for accessibility in your country.")
AS_BEFORE = N_("Please contact us the way you reached our support before.")


@dataclass(frozen=True, slots=True)
class Section:
    """Paragraphs, in the language of the page, below a heading in English. The first one has none."""

    paragraphs: Sequence[str]
    heading: str = ""


@bp.get("/privacy")
def privacy() -> ResponseReturnValue:
    """Show our privacy notice, or redirect to the operator's own."""
    core, survey = services(), _survey_of_query()
    brand = _brand_of(survey)
    if brand.privacy_url:
        return redirect(brand.privacy_url, 302)
    kept_for = max(core.records.lifetime(each) for each in ([survey] if survey else core.settings.surveys))
    return privacy_page(_language(), brand, core.settings.operator, kept_for, survey.name if survey else "")


@bp.get("/accessibility")
def accessibility() -> ResponseReturnValue:
    """Show the accessibility statement."""
    survey = _survey_of_query()
    return accessibility_page(
        _language(), _brand_of(survey), services().settings.operator, survey.name if survey else ""
    )


def privacy_page(
    language: Language, brand: Brand, operator: str | None, kept_for: timedelta, survey: str = ""
) -> Response:
    """Render our privacy notice. A record is deleted `kept_for` after its survey ends."""
    say = language.translate
    sections = (
        Section((say(RESPONSIBLE, operator=operator or brand.name), say(page_texts.PRIVACY, brand=brand.name))),
        Section((say(KEPT_ANSWER), say(KEPT_ADDRESS), say(KEPT_HASHES)), KEPT),
        Section((say(page_texts.KEPT_FOR, time=language.format_days(kept_for)), say(IN_DIXA), say(OPT_OUTS)), HOW_LONG),
        Section((say(RIGHTS_WHAT),), RIGHTS),
    )
    return _render(language, brand, survey, title=page_texts.PRIVACY_LINK, sections=sections)


def accessibility_page(language: Language, brand: Brand, operator: str | None, survey: str = "") -> Response:
    """Render the accessibility statement."""
    say = language.translate
    sections = (
        Section((say(ACCESSIBLE), say(WORKS_WITH), say(RESPONSIBLE, operator=operator or brand.name))),
        Section((say(BARRIER_WHAT), say(AUTHORITY)), BARRIER),
    )
    return _render(language, brand, survey, title=page_texts.ACCESSIBILITY, sections=sections)


def _render(language: Language, brand: Brand, survey: str, *, title: str, sections: Sequence[Section]) -> Response:
    return render_page(
        "statement.html",
        language,
        200,
        brand.theme,
        brand=brand.name,
        support_url=brand.support_url,
        as_before=AS_BEFORE,
        survey=survey,
        query=f"survey={survey}" if survey else "",
        title=title,
        sections=sections,
    )


def _survey_of_query() -> Survey | None:
    """Return the survey in `?survey`, if surveys.toml has it."""
    name = request.args.get("survey")
    return next((each for each in services().settings.surveys if each.name == name), None)


def _brand_of(survey: Survey | None) -> Brand:
    settings = services().settings
    return settings.brand_of(survey) if survey else settings.brand


def _language() -> Language:
    return choose_language(requested_language(), "", services().settings.default_language)
