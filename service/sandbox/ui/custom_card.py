"""Shows our Custom Card beside a conversation, as Dixa does: it calls the hook URL, and renders the card's template.

Dixa renders Liquid. What the template uses of it (`for`, `if` and `escape`) is written and works the same in Jinja.
"""

from pathlib import Path

import requests
from flask import Blueprint, Response, abort
from flask.typing import ResponseReturnValue
from jinja2.sandbox import SandboxedEnvironment

from service.sandbox.dixa.model import Conversation
from service.sandbox.fake_dixa import FakeDixa

TEMPLATE = Path(__file__).with_name("templates") / "dixa_card.html"
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox"
_TIMEOUT_SECONDS = 10
"""Dixa's own."""


def custom_card_blueprint(dixa: FakeDixa) -> Blueprint:
    """Make the route of the card. The inbox shows it in a frame."""
    blueprint = Blueprint("custom_card", __name__)

    @blueprint.get("/conversations/<int:number>/card")
    def show(number: int) -> ResponseReturnValue:
        with dixa.state.lock:
            found = dixa.state.conversations.get(number)
        if found is None or not dixa.settings.card_url:
            abort(404)
        body = _render(dixa.settings.card_url, dixa.settings.card_token, found)
        return Response(body, headers={"Content-Security-Policy": _POLICY}, mimetype="text/html")

    return blueprint


def _render(url: str, token: str, conversation: Conversation) -> str:
    form = {"email": conversation.requester.email or "", "conversation": str(conversation.id)}
    try:
        response = requests.post(url, data=form, headers={"Authorization": f"Bearer {token}"}, timeout=_TIMEOUT_SECONDS)
        response.raise_for_status()
        data = response.json()
    except requests.RequestException as error:
        return f"The card's hook URL failed: {type(error).__name__}."
    environment = SandboxedEnvironment(autoescape=False)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(data)
