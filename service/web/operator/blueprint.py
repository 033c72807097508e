"""The blueprint of the window: each request passes its host, its encryption, its login and its site, in this order."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Blueprint, Response, current_app, request
from flask.typing import ResponseReturnValue
from flask_httpauth import HTTPBasicAuth  # type: ignore[import-untyped]
from werkzeug.exceptions import BadRequest, Forbidden, NotFound

from config.operators import Role
from service.records.redis import RecordsUnavailable
from service.surveys.urls import LOOPBACK
from service.web.host_check import host_check
from service.web.operator.cross_site import is_from_own_page
from service.web.operator.login import Door, Operator
from service.web.request_body import read_body
from service.web.services import WINDOW, services

bp = Blueprint(WINDOW, __name__, url_prefix="/operator", template_folder="templates")
MAX_BODY_BYTES = 16 * 1024
DOOR = "afterword.operator"
"""The name of the app's extension that lets operators in."""

_auth = HTTPBasicAuth(realm="Afterword")
_READS = {"GET", "HEAD", "OPTIONS"}


def operator() -> Operator:
    """Return who has sent the current request."""
    found: Operator = _auth.current_user()
    return found


@bp.before_request
def _check() -> ResponseReturnValue | None:
    settings = services().settings
    _refuse_other_hosts(settings.public_url, settings.window_url)
    if _door().has_logins and not _door().is_from_proxy(request):
        _refuse_plain_http(settings.window_url)
    if request.method not in _READS:
        if not is_from_own_page(request.headers, settings.window_url):
            raise Forbidden("This came from another page than ours. Open the window again, and use its button.")
        read_body(request, MAX_BODY_BYTES)
    allowed = [Role.ACT] if request.method not in _READS else [*Role]
    refused: ResponseReturnValue | None = _auth.login_required(role=allowed)(lambda: None)()
    return refused


def _refuse_other_hosts(public_url: str, window_url: str) -> None:
    host = request.environ.get("HTTP_HOST", "")
    try:
        host_check(window_url)(host)
    except BadRequest:
        # With a host of its own, nothing at PUBLIC_URL shows that there is a window.
        host_check(public_url)(host)
        raise NotFound from None


def _refuse_plain_http(window_url: str) -> None:
    """Refuse a request that came unencrypted from another machine, before the browser asks for a password."""
    if request.is_secure or urlsplit(window_url).hostname in LOOPBACK or _is_loopback(request.remote_addr or ""):
        return
    raise Forbidden(
        "A password would cross the network unencrypted. Open this page with https://. If you do, there is a proxy in "
        "front: let it set X-Forwarded-Proto and -For, and write PROXY_HOPS=1."
    )


def _is_loopback(address: str) -> bool:
    """Return whether an address is of this machine. A Unix socket has none, and is."""
    try:
        found = ip_address(address)
    except ValueError:
        return not address
    return (getattr(found, "ipv4_mapped", None) or found).is_loopback


def _door() -> Door:
    found: Door = current_app.extensions[DOOR]
    return found


def _find_operator(name: str, password: str) -> Operator | None:
    return _door().find_operator(request, name, password)


def _role_of(found: Operator) -> Role:
    return found.role


def _not_let_in(status: int) -> Response:
    if status == 403:  # noqa: PLR2004 - Flask-HTTPAuth's, for a wrong role
        text = "Your login may look, and not act. Its role is in OPERATOR_LOGINS or OPERATOR_PROXY_ACT."
    elif _door().has_logins:
        text = "Log in with a name and password of OPERATOR_LOGINS."
    else:
        status, text = 403, "Open this page through the login proxy: OPERATOR_PROXY_SECRET is set."
    return Response(f"{text}\n", status, content_type="text/plain; charset=utf-8")


@bp.after_request
def _add_headers(response: Response) -> Response:
    # Flask-HTTPAuth adds a challenge to each refusal. Only a 401 has one.
    if response.status_code != 401:  # noqa: PLR2004 - "log in"
        response.headers.pop("WWW-Authenticate", None)
    return response


@bp.errorhandler(RecordsUnavailable)
def _without_redis(_error: RecordsUnavailable) -> Response:
    text = "Redis is unavailable, so there is nothing to show. See `afterword doctor --only redis`. Reload in a minute."
    return Response(f"{text}\n", 503, {"Retry-After": "30"}, content_type="text/plain; charset=utf-8")


_auth.verify_password(_find_operator)
_auth.get_user_roles(_role_of)
_auth.error_handler(_not_let_in)
