"""Hostile requests to the app in this process, over a real Redis: webhooks, tokens and forms."""

import json
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from string import ascii_letters, digits
from urllib.parse import quote_from_bytes

from flask import Flask
from flask.testing import FlaskClient

from service.records.redis import RecordsUnavailable
from service.sandbox.dixa.webhooks import sign
from service.surveys.links import Link, Links
from service.surveys.model import Offer
from service.surveys.ratings import RatingType
from service.web.services import Services
from tests.fuzz import corpus
from tests.processes import PUBLIC_URL, SECRET_KEY, WEBHOOK_SECRET

WEBHOOK_STATUSES = {200, 202, 400, 401, 405, 413, 415, 429}
SURVEY_STATUSES = {200, 302, 303, 308, 400, 403, 404, 405, 410, 413, 422, 429}
FIELDS = ("rating", "rating_csat", "rating_nps", "rating_thumbs", "comment", "website")
KINDS = ["application/x-www-form-urlencoded"] * 8
KINDS += ["", "text/plain", "application/json", "application/x-www-form-urlencoded; charset=utf-7", "a/b; c=\xff", ";"]
HEADERS = ["Authorization", "Cookie", "X-Forwarded-For", "X-Forwarded-Host", "Forwarded", "Accept", "Accept-Language"]
HEADERS += ["Content-Encoding", "Expect", "Range", "If-Modified-Since", "Origin", "Sec-Fetch-Site", "User-Agent"]
HEADERS += ["X-HTTP-Method-Override", "Host", "Content-Length", "X-DIXA-SUBSCRIPTION-ID", "Referer", "Date"]
LINKS = Links([SECRET_KEY], PUBLIC_URL)
OFFERS = tuple(
    Offer(rating, f"0e2f8a44-8a7e-4f0e-9a57-0c1f6f0f2a9{number}") for number, rating in enumerate(RatingType)
)


class Inside:
    """Sends cases and counts the responses. `unexpected` contains the undocumented responses."""

    def __init__(self, app: Flask, seed: int) -> None:
        self._client: FlaskClient = app.test_client()
        self._chance = Random(seed)
        self._number = 100_000
        self.responses: Counter[int] = Counter()
        self.unexpected: list[str] = []
        self.hidden: set[str] = set()
        """The signatures and tokens sent. No log may contain them."""

    def webhook_body(self) -> None:
        """Send a spoilt body with a good signature, as if Dixa had sent it."""
        event = self._event()
        if self._chance.random() < 0.7:
            event = corpus.spoil_json(event, self._chance)
        # An event's id and name may be logged.
        event |= {name: "plain" for name in ("event_id", "event_fqn") if event.get(name) == corpus.MARK}
        body = corpus.dump(event, self._chance)
        if self._chance.random() < 0.3:
            body = corpus.spoil_bytes(body, self._chance)
        if self._chance.random() < 0.01:
            body = self._chance.choice([b"[" * 100_000, b'{"data":' * 20_000, b"9" * 100_000, body + b" " * 300_000])
        self._send("POST", "/webhooks/dixa", body, sign(body, WEBHOOK_SECRET), WEBHOOK_STATUSES)

    def webhook_headers(self) -> None:
        """Send a good body with spoilt headers."""
        body = json.dumps(self._event()).encode()
        headers = sign(body, WEBHOOK_SECRET)
        self.hidden.add(headers["X-DIXA-SIGNATURE"].rpartition("=")[2])
        for _ in range(self._chance.randint(1, 3)):
            name = self._chance.choice([*headers, "X-DIXA-SIGNATURE", "X-DIXA-SIGNATURE", *HEADERS])
            headers[name] = corpus.header(self._chance, headers.get(name, "a"))
        method = self._chance.choice(["POST"] * 9 + ["GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE"])
        self._send(method, "/webhooks/dixa", body, headers, WEBHOOK_STATUSES)

    def token(self) -> None:
        """Send a spoilt token, sometimes with a spoilt query."""
        raw = self._chance.choice([self._token, self._token, self._code])().encode()
        if self._chance.random() < 0.85:
            raw = corpus.spoil_bytes(raw, self._chance)
        if self._chance.random() < 0.1:
            raw = self._chance.choice(corpus.TEXTS).encode("utf-8", "surrogatepass")
        path = f"/s/{quote_from_bytes(raw, safe=self._chance.choice(['', '/', '.']))}"
        if self._chance.random() < 0.4:
            name = self._chance.choice(["r", "receipt", "change", "receipt", "\0"])
            value = self._chance.choice([*corpus.TEXTS, "4", self._receipt()]).encode("utf-8", "surrogatepass")
            path += f"?{name}={quote_from_bytes(value)}"
        method = self._chance.choice(["GET", "GET", "GET", "HEAD", "POST", "PUT", "OPTIONS"])
        self._send(method, path, b"rating=4" if method == "POST" else b"", {}, SURVEY_STATUSES)

    def form(self) -> None:
        """Send a good token and a spoilt form."""
        headers = {"Content-Type": self._chance.choice(KINDS)}
        if self._chance.random() < 0.15:
            body, headers["Content-Type"] = corpus.multipart(self._chance, FIELDS)
        else:
            body = corpus.form(self._chance, FIELDS)
        if self._chance.random() < 0.1:
            name = self._chance.choice(HEADERS)
            headers[name] = corpus.header(self._chance, "a")
        self._send("POST", f"/s/{self._token()}", body, headers, SURVEY_STATUSES)

    def _send(self, method: str, path: str, body: bytes, headers: dict[str, str], documented: set[int]) -> None:
        length = headers.pop("Content-Length", None)
        overrides = {"CONTENT_LENGTH": length} if length is not None else {}
        response = self._client.open(
            path, method=method, base_url=PUBLIC_URL, data=body, headers=headers, environ_overrides=overrides
        )
        self.responses[response.status_code] += 1
        if response.status_code not in documented or "Set-Cookie" in response.headers:
            self.unexpected.append(f"{response.status_code} to {method} {path[:60]!r} {body[:200]!r} {headers!r}"[:400])

    def _event(self) -> dict[str, object]:
        self._number += 1
        return {
            "event_id": f"0b0f3f0e-6f0c-4b52-9d0a-{self._number:012}",
            "event_fqn": "CONVERSATION_CLOSED",
            "event_version": "1",
            "event_timestamp": datetime.now(UTC).isoformat(),
            "organization": {"id": "5b9c1b5e-7a43-4b0e-9d7e-6a2f0d5e8c10", "name": corpus.MARK},
            "data": {
                "conversation": {
                    "csid": self._number,
                    "channel": "EMAIL",
                    "status": "CLOSED",
                    "direction": "INBOUND",
                    "queue": {"id": "q1", "name": corpus.MARK},
                    "requester": {"id": "b1d6a0c2", "name": corpus.MARK, "email": f"{corpus.MARK}@example.com"},
                    "assignee": {"id": "7e3c2a10", "name": corpus.MARK},
                    "subject": corpus.MARK,
                    "tags": [{"id": "t", "name": "vip"}],
                    "created_at": "2026-05-12T10:00:00Z",
                }
            },
        }

    def _token(self) -> str:
        number = self._chance.randrange(200_000, 200_500)
        link = Link(str(number), number, "default", OFFERS[: 1 + number % 3])
        token = LINKS.sign(replace(link, survey_name=self._chance.choice(["default", "", corpus.TEXTS[10]])))
        self.hidden.add(token)
        return token

    def _code(self) -> str:
        """Return the code of a short link, or a random code."""
        code = "".join(self._chance.choices(ascii_letters + digits, k=12))
        if self._chance.random() < 0.5:
            core: Services = self._client.application.extensions["afterword"]
            number = str(self._chance.randrange(200_000, 200_500))
            with suppress(RecordsUnavailable):
                code = core.short_links.shorten(number, f"/s/{self._token()}", timedelta(days=1)).rpartition("/")[2]
        self.hidden.add(code)
        return code

    def _receipt(self) -> str:
        return LINKS._receipts.dumps(["200001", self._chance.choice(corpus.ODD[:14]), True])
