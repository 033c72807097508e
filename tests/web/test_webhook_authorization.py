"""`DIXA_WEBHOOK_AUTHORIZATION`: a header that is checked beside the signature, never instead of it."""

import base64
from io import BytesIO

import pytest
from flask.testing import FlaskClient

from config.loader import SettingsError, read_settings
from service.sandbox.dixa.webhooks import sign
from tests.config.test_settings import GOOD
from tests.processes import PUBLIC_URL, WEBHOOK_SECRET
from tests.web.webhook_client import OTHER_SECRET, PATH, closed, make_client, send

TOKEN, LATER = "first-token-0123456789", "later-token-0123456789"
LOGIN = "dixa:a-password:0123456789"


def basic(login: str) -> str:
    return f"Basic {base64.b64encode(login.encode()).decode()}"


@pytest.fixture
def client(redis_url: str) -> FlaskClient:
    given = f"Bearer {TOKEN}, Basic {LOGIN},Bearer {LATER}"
    return make_client(redis_url, DIXA_WEBHOOK_AUTHORIZATION=given)


@pytest.mark.parametrize("header", [f"Bearer {TOKEN}", f"bearer {TOKEN}", f"Bearer {LATER}", basic(LOGIN)])
def test_each_authorization_is_accepted_with_a_signature(client: FlaskClient, header: str) -> None:
    assert send(client, closed(), Authorization=header)[0] == 202
    assert send(client, closed(), OTHER_SECRET, Authorization=header)[0] == 401


@pytest.mark.parametrize(
    "header",
    ["", TOKEN, "Bearer", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", f"Basic {LOGIN}", "Bearer é"],
)
def test_signature_without_the_authorization_is_401(client: FlaskClient, header: str) -> None:
    status, response = send(client, closed(), Authorization=header)
    assert (status, response["problem"]) == (401, "The Authorization header is missing or wrong.")
    suspicions = client.application.extensions["afterword"].rejections.suspicions()
    assert ["DIXA_WEBHOOK_AUTHORIZATION" in each for each in suspicions] == [True]


def test_body_is_not_read_without_the_authorization(client: FlaskClient) -> None:
    body = BytesIO(b"{}")
    headers = sign(b"{}", WEBHOOK_SECRET)
    response = client.post(PATH, base_url=PUBLIC_URL, input_stream=body, headers=headers | {"Content-Length": "2"})
    assert response.status_code == 401
    assert body.tell() == 0


def test_without_the_setting_every_authorization_is_accepted(webhooks: FlaskClient) -> None:
    assert send(webhooks, closed(), Authorization="Bearer x")[0] == 202


@pytest.mark.parametrize(
    "text",
    [",", TOKEN, "Bearer short-token", "Basic dXNlcjpwYXNzd29yZA==", "Basic user:short", "Digest x", "Bearer a b"],
)
def test_other_values_are_refused_without_quoting_them(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(GOOD | {"DIXA_WEBHOOK_AUTHORIZATION": text})
    [line] = str(caught.value).splitlines()[1:]
    assert line.startswith("  DIXA_WEBHOOK_AUTHORIZATION: ")
    assert not [word for word in text.split() if len(word) > 8 and word in line]
