"""A client of the operator's window, with a login."""

from base64 import b64encode
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from flask.testing import FlaskClient
from werkzeug.security import generate_password_hash
from werkzeug.test import TestResponse

from service.web.app import create_app
from tests.processes import PUBLIC_URL, settings_for

PASSWORDS = {"anna": "correct horse battery", "ben": "staple staple staple"}
ROLES = {"anna": "act", "ben": "look"}
LOGINS = ",".join(
    # A hash of real strength takes 60 ms.
    f"{name}:{ROLES[name]}:{generate_password_hash(password, 'pbkdf2:sha256:1000')}"
    for name, password in PASSWORDS.items()
)
SAME_SITE = {"Sec-Fetch-Site": "same-origin"}


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(f'{name}:{password}'.encode()).decode()}"}


def login(name: str = "anna") -> dict[str, str]:
    return basic(name, PASSWORDS[name])


def make_window(redis_url: str, **environ: str) -> FlaskClient:
    return create_app(settings_for(redis_url, **{"OPERATOR_LOGINS": LOGINS} | environ)).test_client()


def look(
    client: FlaskClient,
    path: str,
    name: str = "anna",
    url: str = PUBLIC_URL,
    headers: Mapping[str, str] = {},
    **given: Any,
) -> TestResponse:
    return client.get(path, base_url=url, headers={**login(name), **headers}, **given)


def act(
    client: FlaskClient,
    path: str,
    form: Mapping[str, str] = MappingProxyType({}),
    *,
    name: str = "anna",
    headers: Mapping[str, str] = SAME_SITE,
) -> TestResponse:
    return client.post(path, base_url=PUBLIC_URL, headers={**login(name), **headers}, data=form)
