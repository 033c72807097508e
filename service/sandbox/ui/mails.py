"""The pages that show the mails which the sandbox received, as their readers would see them."""

from flask import Blueprint, Response, abort, render_template, url_for
from flask.typing import ResponseReturnValue

from service.sandbox.fake_dixa import Desk
from service.sandbox.mail_server import ReceivedMail

_AROUND_A_MAIL = "default-src 'none'; style-src 'self'; frame-src 'self'; form-action 'self'; frame-ancestors 'none'"
_IN_A_MAIL = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)
"""A mail may have styles, its own pictures and links that open another window: no script, no form, nothing of ours."""


def mails_blueprint(desk: Desk) -> Blueprint:
    """Route the pages of a desk's mails."""
    blueprint = Blueprint("mails", __name__, url_prefix="/mails", template_folder="templates")

    @blueprint.get("")
    def list_all() -> ResponseReturnValue:
        return render_template("mails.html", mails=desk.mails[::-1], organization=desk.state.organization)

    @blueprint.get("/<int:number>")
    def show(number: int) -> ResponseReturnValue:
        mail = _find(desk, number)
        page = render_template(
            "mail.html", mail=mail, frame=url_for("mails.html", number=number), organization=desk.state.organization
        )
        return Response(page, headers={"Content-Security-Policy": _AROUND_A_MAIL}, mimetype="text/html")

    @blueprint.get("/<int:number>/html")
    def html(number: int) -> ResponseReturnValue:
        # Its links open beside the frame: our own pages can't be framed.
        body = f'<base target="_blank">{_find(desk, number).html}'
        if body.count("<!DOCTYPE html>") == 1:
            body = "<!DOCTYPE html>" + body.replace("<!DOCTYPE html>", "")
        return Response(body, headers={"Content-Security-Policy": _IN_A_MAIL}, mimetype="text/html")

    return blueprint


def _find(desk: Desk, number: int) -> ReceivedMail:
    return desk.mailroom.find(number) or abort(404)
