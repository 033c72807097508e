"""Secrets are compared in constant time, so that the time of a response shows nothing of them."""

import hmac
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.processes import PUBLIC_URL
from tests.web.survey_client import TOKEN, get
from tests.web.webhook_client import OTHER_SECRET, closed, make_client, send

TOKEN_OF_DIXA, TOKEN_OF_MONITORING = "token-of-dixa-0123456789", "token-of-monitoring-0123456789"
TOKEN_OF_CARD = "token-of-the-card-0123456789"
READY, CARD = "/readyz", "/cards/dixa"

GUESSES: dict[str, tuple[Callable[[FlaskClient], object], str]] = {
    "signature of a webhook": (
        lambda client: send(client, closed(), OTHER_SECRET, Authorization=f"Bearer {TOKEN_OF_DIXA}"),
        "",
    ),
    "authorization of a webhook": (
        lambda client: send(client, closed(), Authorization="Bearer x-guessed"),
        "bearer x-guessed",
    ),
    "token of /readyz": (
        lambda client: client.get(READY, base_url=PUBLIC_URL, headers={"Authorization": "Bearer x-guessed"}),
        "x-guessed",
    ),
    "token of /api/v1": (
        lambda client: client.get(
            "/api/v1/answers", base_url=PUBLIC_URL, headers={"Authorization": "Bearer x-guessed"}
        ),
        "x-guessed",
    ),
    "token of /metrics": (
        lambda client: client.get("/metrics", headers={"Authorization": "Bearer x-guessed"}),
        "x-guessed",
    ),
    "token of the Custom Card": (
        lambda client: client.get(CARD, base_url=PUBLIC_URL, headers={"Authorization": "Bearer x-guessed"}),
        "x-guessed",
    ),
    "signature of a link": (lambda client: get(client, f"{TOKEN[:-4]}AAAA"), ""),
}


@pytest.mark.parametrize("kind", GUESSES)
def test_secrets_are_compared_in_constant_time(redis_url: str, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    client = make_client(
        redis_url,
        DIXA_WEBHOOK_AUTHORIZATION=f"Bearer {TOKEN_OF_DIXA}",
        READYZ_TOKEN=TOKEN_OF_MONITORING,
        METRICS_TOKEN=TOKEN_OF_MONITORING,
        API_READ_TOKEN=TOKEN_OF_MONITORING,
        DIXA_CARD_TOKEN=TOKEN_OF_CARD,
    )
    compared: list[Any] = []
    inner = hmac.compare_digest

    def compare(ours: Any, theirs: Any) -> bool:
        compared.append((ours, theirs))
        return inner(ours, theirs)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    guess, text = GUESSES[kind]
    guess(client)
    assert compared
    assert not text or any(text.encode() in pair for pair in compared)
    compared.clear()
