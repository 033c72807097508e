"""The pages with received e-mails, rendered like in a mail program."""

from flask import Blueprint, Response, abort, render_template
from flask.typing import ResponseReturnValue

from service.sandbox.fake_dixa import FakeDixa

_AROUND_A_MAIL = "default-src 'none'; style-src 'self'; frame-src 'self'; form-action 'self'; frame-ancestors 'none'"
_IN_A_MAIL = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)
"""An e-mail may have styles, its own pictures and links to new windows, but no scripts and no forms."""


def mails_blueprint(dixa: FakeDixa) -> Blueprint:
    """Make the routes of the e-mails."""
    blueprint = Blueprint("mails", __name__, url_prefix="/mails", template_folder="templates")

    @blueprint.get("")
    def list_all() -> ResponseReturnValue:
        return render_template("mails.html")

    @blueprint.get("/<int:number>")
    def show(number: int) -> ResponseReturnValue:
        mail = dixa.mail_store.find(number) or abort(404)
        page = render_template("mail.html", mail=mail)
        return Response(page, headers={"Content-Security-Policy": _AROUND_A_MAIL}, mimetype="text/html")

    @blueprint.get("/<int:number>/html")
    def html(number: int) -> ResponseReturnValue:
        mail = dixa.mail_store.find(number) or abort(404)
        # Links open in a new window: our own pages forbid frames.
        body = f'<!DOCTYPE html><base target="_blank">{mail.html.removeprefix("<!DOCTYPE html>")}'
        return Response(body, headers={"Content-Security-Policy": _IN_A_MAIL}, mimetype="text/html")

    return blueprint
