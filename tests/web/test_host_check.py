"""The survey page and the webhooks accept our own host only; probes accept any."""

import pytest
from flask.testing import FlaskClient
from werkzeug.test import create_environ, run_wsgi_app

from service.web.app import create_app
from tests.processes import RedisServer, settings_for
from tests.web.survey_client import TOKEN, make_client


@pytest.mark.parametrize(
    ("public_url", "requested"),
    [
        ("https://survey.northwind.example", "https://survey.northwind.example:443"),
        ("https://survey.northwind.example:443", "https://survey.northwind.example"),
        ("https://Survey.Northwind.example", "https://survey.northwind.example"),
        ("https://survey.northwind.example", "https://SURVEY.northwind.example"),
        ("http://survey.northwind.example:8000", "http://survey.northwind.example:8000"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("http://[::1]:8000", "http://[0:0:0:0:0:0:0:1]:8000"),
        ("http://[0:0::1]", "http://[::1]"),
        ("https://rückmeldung.example", "https://xn--rckmeldung-9db.example"),
        ("https://survey.northwind.example", "https://survey.northwind.example."),
        ("https://survey.northwind.example.", "https://survey.northwind.example:443"),
    ],
)
def test_spellings_of_own_host_are_accepted(redis_server: RedisServer, public_url: str, requested: str) -> None:
    client = make_client(redis_server.new_database(), PUBLIC_URL=public_url)
    assert client.get(f"/s/{TOKEN}", base_url=requested).status_code == 200


def test_host_in_older_idna_spelling_is_accepted(redis_server: RedisServer) -> None:
    """Plain WSGI, because Werkzeug's test client can't build this URL."""
    app = make_client(redis_server.new_database(), PUBLIC_URL="https://straße.example").application
    environ = create_environ(f"/s/{TOKEN}") | {"HTTP_HOST": "xn--strae-oqa.example"}
    assert run_wsgi_app(app, environ)[1] == "200 OK"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1",
        "northwind.example",
        "x.survey.northwind.example",
        "",
        ":",
        "survey.northwind.example:x",
        "[::1",
        "[survey.northwind.example]",
        "survey.northwind.example@evil.example",
    ],
)
@pytest.mark.parametrize("path", ["/", "/s/TOKEN", "/webhooks/dixa"])
def test_other_host_is_refused(client: FlaskClient, host: str, path: str) -> None:
    path = path.replace("TOKEN", TOKEN)
    response = client.open(path, method="POST" if path.startswith("/w") else "GET", headers={"Host": host})
    assert response.status_code == (200 if path == "/" else 400)


@pytest.mark.parametrize("host", ["10.1.2.3:8000", "localhost", "evil.example", "[::1]"])
@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_by_address_are_accepted(client: FlaskClient, host: str, path: str) -> None:
    assert client.get(path, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    ("hops", "headers", "status"),
    [
        ("0", {"X-Forwarded-Host": "survey.northwind.example"}, 400),
        ("1", {"X-Forwarded-Host": "survey.northwind.example"}, 200),
        ("1", {"X-Forwarded-Host": "survey.northwind.example, evil.example"}, 400),
    ],
)
def test_forwarded_host_counts_from_own_proxies_only(
    redis_server: RedisServer, hops: str, headers: dict[str, str], status: int
) -> None:
    app = create_app(settings_for(redis_server.new_database(), PROXY_HOPS=hops))
    assert app.test_client().get(f"/s/{TOKEN}", base_url="http://10.0.0.1", headers=headers).status_code == status
