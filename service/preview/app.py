"""The preview: a gallery of the pages, e-mails and messages for customers, in frames, rendered by the same code.

It saves nothing, and needs no Redis, Dixa or mail server.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from email.message import EmailMessage
from itertools import product

from flask import Blueprint, Flask, Response, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from config.settings import Settings
from service.delivery.segments import measure
from service.preview.hidden_copy import hidden_copy_of
from service.preview.states import STATES
from service.preview.view import View
from service.surveys.language_codes import LANGUAGES, find_language
from service.surveys.ratings import RatingType
from service.texts.catalog import load_language
from service.web import forms, pages
from service.web.language import requested_language
from service.web.security_headers import add_security_headers, page_policy

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
_SECTIONS: Mapping[str, tuple[str, ...]] = {
    "Pages": tuple(STATES),
    "E-mail": ("email", "email-text"),
    "Messages": ("message", "message-short", "message-html"),
}
_NAMES = {**{name: label for name, (label, _) in STATES.items()}, **_MESSAGES}
_ALL = "all"
_WIDTHS = ("phone", "desktop")
_SCHEMES = ("light", "dark")
# 'unsafe-inline' is for the hidden copies of the pages: see `hidden_copy`.
_AROUND = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; frame-src 'self'; img-src data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_IN_A_MAIL = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'self'"
_IN_A_BUBBLE = "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'self'"


def create_app(settings: Settings) -> Flask:
    """Build the app. Its import name is the web's, so that Flask finds the templates of the pages."""
    app = Flask("service.web", static_folder=None)
    blueprint = Blueprint("preview", __name__, template_folder="templates", static_folder="static")
    _route_chooser(blueprint, settings)
    _route_states(blueprint, settings)
    app.register_blueprint(blueprint)

    app.after_request(_add_headers)
    return app


def _add_headers(response: Response) -> Response:
    scheme = request.args.get("scheme")
    if scheme in _SCHEMES and response.mimetype == "text/html" and request.endpoint == "preview.show":
        html = _framed(response.get_data(as_text=True), scheme)
        response.set_data(html)
        sheet = re.search(r"<style>(.*?)</style>", html, re.DOTALL)
        if sheet and "sha256-" in response.headers["Content-Security-Policy"]:
            response.headers["Content-Security-Policy"] = page_policy(sheet[1])
    add_security_headers(response, public_url="")
    policy = response.headers["Content-Security-Policy"]
    if request.endpoint != "preview.choose":  # The real pages are framed by nobody; these by the chooser.
        response.headers["Content-Security-Policy"] = policy.replace("ancestors 'none'", "ancestors 'self'")
    return response


def _framed(html: str, scheme: str) -> str:
    """Fix a page's colour scheme, since a frame has none of its own, and remove `autofocus`."""
    condition = "(min-width:0)" if scheme == "dark" else "(max-width:0)"
    html = re.sub(r"\(prefers-color-scheme: ?dark\)", condition, html)
    html = html.replace("color-scheme:light dark", f"color-scheme:{scheme}").replace(" autofocus", "")
    return html.replace('content="light dark"', f'content="{scheme}"')


@dataclass(frozen=True, slots=True)
class Frame:
    """A page, e-mail or message in the gallery. `how` distinguishes frames of the same name, such as "phone, dark"."""

    name: str
    url: str
    width: str
    how: str
    hidden_copy: Markup
    email: EmailMessage | None


def _route_chooser(blueprint: Blueprint, settings: Settings) -> None:
    surveys = [each.name for each in settings.surveys]

    @blueprint.get("/")
    def choose() -> ResponseReturnValue:
        state = _one_of([_ALL, *STATES, *_MESSAGES], "state")
        given = {
            "state": state,
            "survey": _one_of(surveys, "survey"),
            "rating": _one_of(list(_RATINGS), "rating"),
            "lang": requested_language() or settings.default_language,
            # By default all states are shown in one width and scheme, and a single state in all of them.
            "width": _one_of(["phone", "desktop", "both"] if state == _ALL else ["both", "phone", "desktop"], "width"),
            "scheme": _one_of(["light", "dark", "both"] if state == _ALL else ["both", "light", "dark"], "scheme"),
        }
        page = render_template(
            "chooser.html",
            given=given,
            sections=[(heading, list(_frames(settings, given, names))) for heading, names in _SECTIONS.items()],
            surveys=surveys,
            ratings=[(name, label) for name, (label, _) in _RATINGS.items()],
            languages=[(code, names[1]) for code, names in LANGUAGES.items()],
            widths=[("phone", "Phone"), ("desktop", "Desktop"), ("both", "Both")],
            schemes=[("light", "Light"), ("dark", "Dark"), ("both", "Both")],
            pages=STATES,
            messages=_MESSAGES,
        )
        return Response(page, headers={"Content-Security-Policy": _AROUND}, mimetype="text/html")


def _frames(settings: Settings, given: Mapping[str, str], states: Iterable[str]) -> Iterator[Frame]:
    """Yield the chosen states, each in the chosen widths and schemes. A message is shown once."""
    view = _view(settings, given["survey"], given["rating"], given["lang"])
    for state in states:
        if given["state"] not in {_ALL, state}:
            continue
        url = url_for("preview.show", survey=given["survey"], rating=given["rating"], code=given["lang"], state=state)
        html = _render(view, state).get_data(as_text=True)
        name, email = _NAMES[state], view.email if state.startswith("email") else None
        if state not in {*STATES, "email"}:
            yield Frame(name, url, "text", "", hidden_copy_of(html), email)
            continue
        for width, scheme in product(_chosen(given["width"], _WIDTHS), _chosen(given["scheme"], _SCHEMES)):
            how = ", ".join(way for way, kind in ((width, "width"), (scheme, "scheme")) if given[kind] == "both")
            yield Frame(name, f"{url}?scheme={scheme}", width, how, hidden_copy_of(_framed(html, scheme)), email)


def _chosen(given: str, known: tuple[str, ...]) -> tuple[str, ...]:
    return known if given == "both" else (given,)


def _route_states(blueprint: Blueprint, settings: Settings) -> None:
    @blueprint.get("/<survey>/<rating>/<code>/<state>")
    def show(survey: str, rating: str, code: str, state: str) -> ResponseReturnValue:
        return _render(_view(settings, survey, rating, code), state)

    @blueprint.post("/<survey>/<rating>/<code>/form")
    def send(survey: str, rating: str, code: str) -> ResponseReturnValue:
        """Show the next page. Nothing is saved."""
        page = _view(settings, survey, rating, find_language(request.form.get(forms.LANG, "")) or code).page
        try:
            form = forms.load_answer_form(request.form, page.ratings)
        except forms.FormError as error:
            typed, is_sent = error.typed, error.typed.language is None
            errors = error.errors if is_sent else None
            return pages.form_page(page, chosen=typed.scores, comment=typed.comment, errors=errors)
        if form.language is not None:
            return pages.form_page(page, chosen=form.scores, comment=form.comment)
        return pages.saved_page(page, form.scores, has_comment=bool(form.comment))

    @blueprint.route("/<survey>/<rating>/<code>/form/stop", methods=["GET", "POST"])
    def stop(survey: str, rating: str, code: str) -> ResponseReturnValue:
        state = "stop" if request.method == "GET" else "stop-kept" if "undo" in request.form else "stop-stopped"
        return STATES[state][1](_view(settings, survey, rating, code).page)

    @blueprint.get("/<any(privacy, accessibility):state>")
    def state_of_link(state: str) -> ResponseReturnValue:
        """Show the page that a link of another page leads to."""
        names = [each.name for each in settings.surveys]
        code = requested_language() or settings.default_language
        return _render(_view(settings, _one_of(names, "survey"), "own", code), state)


def _render(view: View, state: str) -> Response:
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
    """Render the form with the score in a link of the e-mail."""
    first = view.survey.ratings[0]
    score = next((score for score in first.scores if str(score) == request.args.get("r")), None)
    chosen = {} if score is None else {first: score}
    return pages.form_page(view.page, chosen=chosen, preselected=bool(chosen))


def _bubble(view: View, state: str) -> Markup:
    """Return the message as it is sent to Dixa. Its HTML is ours, with every value escaped."""
    if state == "message-html":
        return Markup(view.message("Html"))  # noqa: S704
    return Markup.escape(view.short_text() if state == "message-short" else view.message("Text"))


def _view(settings: Settings, survey: str, rating: str, code: str) -> View:
    found = next((each for each in settings.surveys if each.name == survey), None) or abort(404)
    if rating not in _RATINGS or code not in LANGUAGES:
        abort(404)
    ratings = _RATINGS[rating][1] or found.ratings
    code = requested_language() or code
    link = url_for("preview.send", survey=survey, rating=rating, code=code, _external=True)
    return View(settings, replace(found, ratings=ratings), load_language(code), link)


def _one_of(known: list[str], name: str) -> str:
    value = request.args.get(name, "")
    return value if value in known else known[0]
