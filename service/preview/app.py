"""The preview: a page to choose on, and what was chosen in frames, made by the very code that customers get it from.

It keeps nothing and asks nobody for anything: no Redis, no Dixa, no mail server.
"""

import re
from collections.abc import Mapping
from dataclasses import replace

from flask import Blueprint, Flask, Response, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from config.languages import LANGUAGES
from config.settings import Settings
from config.surveys import RatingType
from service.delivery.segments import measure
from service.preview.states import STATES
from service.preview.view import View
from service.surveys.languages import language
from service.web import forms, pages
from service.web.headers import add_security_headers, page_policy
from service.web.language import asked_language

_RATINGS: Mapping[str, tuple[str, tuple[RatingType, ...]]] = {
    "own": ("The survey's", ()),
    "csat": ("Csat", (RatingType.CSAT,)),
    "nps": ("Nps", (RatingType.NPS,)),
    "thumbs": ("ThumbsUpOrDown", (RatingType.THUMBS,)),
    "all": ("All three", tuple(RatingType)),
}
_MESSAGES = {
    "email": "E-mail",
    "email-text": "E-mail, plain text",
    "message": "Message in a chat",
    "message-short": "Message by SMS or WhatsApp",
    "message-html": "Message in an e-mail conversation",
}
_AROUND = (
    "default-src 'none'; style-src 'self'; frame-src 'self'; img-src data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_IN_A_MAIL = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'self'"
_IN_A_BUBBLE = "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'self'"


def create_app(settings: Settings) -> Flask:
    """Build the app. Its pages need the templates of the web, so it takes the web's place."""
    app = Flask("service.web", static_folder=None)
    blueprint = Blueprint("preview", __name__, template_folder="templates", static_folder="static")
    _route_chooser(blueprint, settings)
    _route_states(blueprint, settings)
    app.register_blueprint(blueprint)

    app.after_request(_harden)
    return app


def _harden(response: Response) -> Response:
    scheme = request.args.get("scheme")
    if scheme in {"light", "dark"} and response.mimetype == "text/html" and request.endpoint == "preview.show":
        _force(response, scheme)
    add_security_headers(response, public_url="")
    policy = response.headers["Content-Security-Policy"]
    if request.endpoint != "preview.choose":  # The real pages are framed by nobody; these by the chooser.
        response.headers["Content-Security-Policy"] = policy.replace("ancestors 'none'", "ancestors 'self'")
    return response


def _force(response: Response, scheme: str) -> None:
    """Write a page for a device of this scheme: a frame can't be told which it is on."""
    holds = "(min-width:0)" if scheme == "dark" else "(max-width:0)"
    html = re.sub(r"\(prefers-color-scheme: ?dark\)", holds, response.get_data(as_text=True))
    html = html.replace("color-scheme:light dark", f"color-scheme:{scheme}")
    response.set_data(html.replace('content="light dark"', f'content="{scheme}"'))
    sheet = re.search(r"<style>(.*?)</style>", html, re.DOTALL)
    if sheet and "sha256-" in response.headers["Content-Security-Policy"]:
        response.headers["Content-Security-Policy"] = page_policy(sheet[1])


def _route_chooser(blueprint: Blueprint, settings: Settings) -> None:
    surveys = [each.name for each in settings.surveys]

    @blueprint.get("/")
    def choose() -> ResponseReturnValue:
        survey, rating = _one_of(surveys, "survey"), _one_of(list(_RATINGS), "rating")
        code, state = asked_language() or settings.default_language, _one_of([*STATES, *_MESSAGES], "state")
        page = render_template(
            "chooser.html",
            given={"survey": survey, "rating": rating, "code": code},
            state=state,
            frame=url_for("preview.show", survey=survey, rating=rating, code=code, state=state),
            has_schemes=state in {*STATES, "email"},
            surveys=surveys,
            ratings=_RATINGS,
            languages=LANGUAGES,
            pages=STATES,
            messages=_MESSAGES,
            email=_view(settings, survey, rating, code).email if state.startswith("email") else None,
        )
        return Response(page, headers={"Content-Security-Policy": _AROUND}, mimetype="text/html")


def _route_states(blueprint: Blueprint, settings: Settings) -> None:
    @blueprint.get("/<survey>/<rating>/<code>/<state>")
    def show(survey: str, rating: str, code: str, state: str) -> ResponseReturnValue:
        return _show(_view(settings, survey, rating, code), state)

    @blueprint.post("/<survey>/<rating>/<code>/form")
    def send(survey: str, rating: str, code: str) -> ResponseReturnValue:
        """Show what comes of it; it is saved nowhere."""
        page = _view(settings, survey, rating, code).page
        try:
            form = forms.load_answer_form(request.form, page.ratings)
        except forms.FormError as error:
            return pages.form_page(page, chosen=error.typed.scores, comment=error.typed.comment, errors=error.errors)
        return pages.saved_page(page, form.scores, has_comment=bool(form.comment))

    @blueprint.route("/<survey>/<rating>/<code>/form/stop", methods=["GET", "POST"])
    @blueprint.post("/<survey>/<rating>/<code>/stop")
    def stop(survey: str, rating: str, code: str) -> ResponseReturnValue:
        state = "stop" if request.method == "GET" else "stop-kept" if "undo" in request.form else "stopped"
        return STATES[state][1](_view(settings, survey, rating, code).page)


def _show(view: View, state: str) -> Response:
    if state in STATES:
        return STATES[state][1](view.page) if state != "form" else _form(view)
    if state not in _MESSAGES:
        abort(404)
    if state == "email":
        return Response(view.part("html"), headers={"Content-Security-Policy": _IN_A_MAIL}, mimetype="text/html")
    if state == "email-text":
        return Response(view.part("plain"), mimetype="text/plain")
    size = measure(view.short_text()) if state == "message-short" else None
    page = render_template("bubble.html", view=view, html=_bubble(view, state), size=size)
    return Response(page, headers={"Content-Security-Policy": _IN_A_BUBBLE}, mimetype="text/html")


def _form(view: View) -> Response:
    """Show the form as a link of an e-mail does, which carries a score."""
    first = view.survey.ratings[0]
    score = next((score for score in first.scores if str(score) == request.args.get("r")), None)
    chosen = {} if score is None else {first: score}
    return pages.form_page(view.page, chosen=chosen, preselected=bool(chosen))


def _bubble(view: View, state: str) -> Markup:
    """Give the message as it goes to Dixa. Its HTML is made by us, with every value escaped."""
    if state == "message-html":
        return Markup(view.message("Html"))  # noqa: S704
    return Markup.escape(view.short_text() if state == "message-short" else view.message("Text"))


def _view(settings: Settings, survey: str, rating: str, code: str) -> View:
    found = next((each for each in settings.surveys if each.name == survey), None) or abort(404)
    if rating not in _RATINGS or code not in LANGUAGES:
        abort(404)
    ratings = _RATINGS[rating][1] or found.ratings
    code = asked_language() or code
    link = url_for("preview.send", survey=survey, rating=rating, code=code, _external=True)
    return View(settings, replace(found, ratings=ratings), language(code), link)


def _one_of(known: list[str], name: str) -> str:
    asked = request.args.get(name, "")
    return asked if asked in known else known[0]
