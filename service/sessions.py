"""How we call out over HTTP, whomever: a session, and what a failure says of whether anybody was reached."""

from http.cookiejar import DefaultCookiePolicy

import requests
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError


def new_session(user_agent: str) -> requests.Session:
    """Open the session that a process uses for all its calls: no retries of its own, no cookies."""
    session = requests.Session()
    session.headers["User-Agent"] = user_agent
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    # What comes from the environment (~/.netrc above all) must neither replace a token nor be sent along.
    session.auth = _keep_headers
    return session


def has_never_connected(error: requests.RequestException | HTTPError) -> bool:
    """Say whether a request certainly reached nobody."""
    cause = error.args[0] if error.args else None
    is_refused = isinstance(getattr(cause, "reason", None), NewConnectionError | ConnectTimeoutError)
    return is_refused or isinstance(error, requests.ConnectTimeout)


def _keep_headers(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
