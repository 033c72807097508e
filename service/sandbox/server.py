"""A sandbox Dixa as one object: the app on its port, around all that a `Desk` does."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from service.sandbox.control import control_blueprint
from service.sandbox.dixa.api import VERSIONS, api_blueprint
from service.sandbox.fake_dixa import Desk
from service.sandbox.http import HttpServer
from service.sandbox.mail_server import MailServer
from service.sandbox.settings import SandboxSettings
from service.sandbox.ui.inbox import inbox_blueprint
from service.sandbox.ui.mails import mails_blueprint

_POLICY = (
    "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


class Sandbox(Desk):
    """A stand-in for Dixa. It listens from `start` to `stop`, and can be started again on the same port."""

    def __init__(self, settings: SandboxSettings | None = None) -> None:
        super().__init__(settings)
        self.app = build_app(self)
        self._port = self.settings.port
        self._server: HttpServer | None = None
        smtp_port = self.settings.smtp_port
        self._mail = None if smtp_port is None else MailServer(self.mailroom, self.settings.host, smtp_port)

    def start(self) -> "Sandbox":
        """Listen. A port of 0 becomes a free one, which stays this sandbox's."""
        self.faults.resume()
        self.webhooks.resume()
        self._server = HttpServer(self.settings.host, self._port, self.app)
        self._port = self._server.port
        self._server.start()
        if self._mail:
            self._mail.start()
        return self

    def stop(self) -> None:
        """Stop listening, hanging and delivering. What it knows stays."""
        self.faults.stop()
        self.webhooks.stop()
        if self._server:
            self._server.stop()
            self._server = None
        if self._mail:
            self._mail.stop()

    @property
    def url(self) -> str:
        """The address of the inbox."""
        return f"http://{self.settings.host}:{self._port}"

    @property
    def smtp_url(self) -> str:
        """Where mail is taken, as `SMTP_URL` wants it. Raises LookupError when none is."""
        if self._mail is None:
            raise LookupError("smtp_port is not set")
        return f"smtp://{self.settings.host}:{self._mail.port}?starttls=off"

    @property
    def api_url(self) -> str:
        """The address of the API, as `DIXA_API_URL` wants it."""
        return f"{self.url}/{VERSIONS[0]}"


def build_app(desk: Desk) -> Flask:
    """Build the Flask app: the API under each version, the controls, and the inbox."""
    app = Flask(__name__, static_url_path="/assets")
    app.url_map.merge_slashes = False
    for version in VERSIONS:
        app.register_blueprint(api_blueprint(desk.api, version))
    app.register_blueprint(control_blueprint(desk))
    app.register_blueprint(inbox_blueprint(desk))
    app.register_blueprint(mails_blueprint(desk))
    app.register_error_handler(HTTPException, _show_problem)
    app.before_request(lambda: _refuse_other_names(desk.settings.host))
    app.before_request(_refuse_strangers)
    app.after_request(_harden)
    return app


def _show_problem(error: HTTPException) -> ResponseReturnValue:
    status = error.code or 500
    if request.path.startswith(tuple(f"/{name}/" for name in (*VERSIONS, "_sandbox"))):
        return jsonify({"message": "The requested resource could not be found"}), status
    return Response(f"{status} {error.name}\n", status, mimetype="text/plain")


def _refuse_other_names(ours: str) -> ResponseReturnValue | None:
    """Answer to names that only this machine gives itself: any other may be a page's that points here."""
    name = urlsplit(f"//{request.host}").hostname or ""
    if name == "localhost" or name.endswith(".localhost") or name == ours or _may_be_asked(name, ours):
        return None
    return Response("421 Misdirected Request: ask by localhost.\n", 421, mimetype="text/plain")


def _may_be_asked(address: str, ours: str) -> bool:
    """Whoever lets the sandbox listen for other machines is asked by this one's addresses."""
    try:
        return ip_address(address).is_loopback or not ip_address(ours).is_loopback
    except ValueError:
        return False


def _refuse_strangers() -> ResponseReturnValue | None:
    """Take no form from another site's page that happens to be open in the same browser."""
    origin = request.headers.get("Origin")
    if request.method != "GET" and origin is not None and origin != request.host_url.rstrip("/"):
        return Response("403 Forbidden\n", 403, mimetype="text/plain")
    return None


def _harden(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", _POLICY)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    return response
