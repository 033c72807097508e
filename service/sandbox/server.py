"""The sandbox with its HTTP and SMTP servers."""

from threading import Lock

from flask import Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from service.sandbox.dixa.api import VERSIONS, api_blueprint
from service.sandbox.fake_dixa import FakeDixa
from service.sandbox.http import HttpServer
from service.sandbox.mail_server import MailServer
from service.sandbox.settings import HOST, SandboxSettings
from service.sandbox.ui.custom_card import custom_card_blueprint
from service.sandbox.ui.inbox import inbox_blueprint
from service.sandbox.ui.mails import mails_blueprint

_COMPILING = Lock()
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src data:; frame-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)


class Sandbox(FakeDixa):
    """A fake Dixa listening from `start` to `stop`. It can start again on the same port."""

    def __init__(self, settings: SandboxSettings | None = None) -> None:
        super().__init__(settings)
        # Werkzeug compiles each route. Python 3.11 fails if two threads do that at once (its parser shares a counter).
        with _COMPILING:
            self.app = build_app(self)
        self._port = self.settings.port
        self._server: HttpServer | None = None
        smtp_port = self.settings.smtp_port
        self._mail = None if smtp_port is None else MailServer(self.mail_store, HOST, smtp_port)

    def start(self) -> "Sandbox":
        """Start listening. A port of 0 means a free one, kept for later starts."""
        self.faults.resume()
        self.webhooks.resume()
        self._server = HttpServer(HOST, self._port, self.app)
        self._port = self._server.port
        self._server.start()
        if self._mail:
            self._mail.start()
        return self

    def stop(self) -> None:
        """Stop listening, waiting and delivering. The state stays."""
        self.faults.stop()
        self.webhooks.stop()
        if self._server:
            self._server.stop()
            self._server = None
        if self._mail:
            self._mail.stop()

    @property
    def url(self) -> str:
        """The URL of the inbox."""
        return f"http://{HOST}:{self._port}"

    @property
    def smtp_url(self) -> str:
        """The value for `SMTP_URL`. Raises LookupError without a mail server."""
        if self._mail is None:
            raise LookupError("smtp_port is not set")
        return f"smtp://{HOST}:{self._mail.port}?starttls=off"

    @property
    def api_url(self) -> str:
        """The value for `DIXA_API_URL`."""
        return f"{self.url}/{VERSIONS[0]}"


def build_app(dixa: FakeDixa) -> Flask:
    """Build the Flask app: the API under each version, and the inbox."""
    app = Flask(__name__, static_url_path="/assets")
    app.url_map.merge_slashes = False
    # Against DNS rebinding: the page of any site may resolve its own name to this machine.
    app.config["TRUSTED_HOSTS"] = [HOST, ".localhost"]
    for version in VERSIONS:
        app.register_blueprint(api_blueprint(dixa.api, version))
    app.register_blueprint(inbox_blueprint(dixa))
    app.register_blueprint(mails_blueprint(dixa))
    app.register_blueprint(custom_card_blueprint(dixa))
    app.register_error_handler(HTTPException, _show_problem)
    app.before_request(_refuse_other_sites)
    app.after_request(_harden)
    return app


def _show_problem(error: HTTPException) -> ResponseReturnValue:
    status = error.code or 500
    if request.path.startswith(tuple(f"/{version}/" for version in VERSIONS)):
        return jsonify({"message": "The requested resource could not be found"}), status
    return Response(f"{status} {error.name}\n", status, mimetype="text/plain")


def _refuse_other_sites() -> ResponseReturnValue | None:
    """Refuse forms from other sites (CSRF)."""
    origin = request.headers.get("Origin")
    if request.method != "GET" and origin is not None and origin != request.host_url.rstrip("/"):
        return Response("403 Forbidden\n", 403, mimetype="text/plain")
    return None


def _harden(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", _POLICY)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    return response
