"""`/s/<token>/stop`: where a customer stops being asked. GET shows a button, since mail scanners open every link.

POST needs no more than the token: RFC 8058's one click comes from a mail provider's server, without a page before it.
"""

import structlog
from flask import Blueprint, Response, request, url_for
from flask.typing import ResponseReturnValue

from config.brand import Look
from service.surveys.languages import N_, Language
from service.surveys.links import LinkError
from service.surveys.store import RecordsUnavailable
from service.web import pages, survey
from service.web.body import read_body
from service.web.language import asked_language, choose_language
from service.web.seams import seams

bp = Blueprint("stop", __name__, url_prefix="/s")
log = structlog.get_logger()

LARGEST = 4 * 1024

TITLE = N_("Stop being asked for feedback?")
WHAT = N_("%(brand)s will not ask you to rate its support again, by e-mail or message.")
BUTTON = N_("Stop asking me")
STOPPED = N_("You will not be asked again")
UNKNOWN = N_("This could not be stopped here")
UNKNOWN_WHY = N_("We no longer know who this survey was sent to. Our support team can stop it for you.")
FAILED = N_("This is not saved. Please try again.")


@bp.get("/<token>/stop")
def show(token: str) -> ResponseReturnValue:
    """Show the button."""
    seams().links.read(token)
    return _button(token)


@bp.post("/<token>/stop")
def stop(token: str) -> ResponseReturnValue:
    """Stop asking whoever this survey was for."""
    survey_id = seams().links.read(token).survey_id
    read_body(request, LARGEST)  # What it says doesn't matter.
    settings = seams().settings
    try:
        record = seams().records.load(survey_id)
        requester_id = record.close.requester_id if record and record.close else None
        if requester_id is None:
            log.warning("stop.unknown", survey_id=survey_id)
            return unknown_page(_language(), settings.brand_name, settings.support_url, settings.look)
        seams().stops.add(requester_id)
    except RecordsUnavailable as error:
        log.warning("stop.not_kept", survey_id=survey_id, problem=str(error))
        return _button(token, failed=True)
    log.info("stop.kept", survey_id=survey_id, conversation_id=record.conversation_id if record else None)
    return stopped_page(_language(), settings.brand_name, settings.support_url, settings.look)


bp.register_error_handler(LinkError, survey.not_found)


def button_page(language: Language, brand: str, look: Look, *, action: str, failed: bool = False) -> Response:
    """Show the button that posts to `action`; once more, with what to do, when that has failed."""
    return pages.write_page(
        "stop.html",
        language,
        503 if failed else 200,
        look,
        parts=("comment", "problem") if failed else ("comment",),
        brand=brand,
        query="",
        title=TITLE,
        text=WHAT,
        button=BUTTON,
        failed=FAILED if failed else None,
        action=action,
    )


def _button(token: str, *, failed: bool = False) -> Response:
    settings = seams().settings
    action = url_for("stop.stop", token=token, lang=asked_language())
    response = button_page(_language(), settings.brand_name, settings.look, action=action, failed=failed)
    if failed:
        response.headers["Retry-After"] = "5"
    return response


def stopped_page(language: Language, brand: str, support_url: str | None, look: Look) -> Response:
    """Say that it is done."""
    text = language.say(WHAT, brand=brand)
    return pages.write_message(language, brand, support_url, look, 200, title=STOPPED, text=text, thanks=True)


def unknown_page(language: Language, brand: str, support_url: str | None, look: Look) -> Response:
    """Say that nobody is known whom to stop asking."""
    return pages.write_message(language, brand, support_url, look, 410, title=UNKNOWN, text=UNKNOWN_WHY)


def _language() -> Language:
    return choose_language("", seams().settings.default_language)
