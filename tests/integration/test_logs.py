"""The logs and the queue of a survey have its ids at each step, and no secret or personal data."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

import pytest
import redis
import requests

from service.records.tasks import read_task
from service.sandbox.dixa.model import Message, Person
from service.sandbox.dixa.webhooks import closed_event, sign
from service.sandbox.server import Sandbox
from service.sandbox.settings import SandboxSettings
from service.surveys.states import Journey
from tests.integration.conftest import SURVEYS, Opener, Starter
from tests.integration.live_survey import find_link
from tests.polling import eventually
from tests.processes import API_TOKEN, SECRET_KEY, WEBHOOK_SECRET, Afterword
from tests.tasks import KEY

CUSTOMER = Person("Zebediah Quistgaard", "zebediah@quistgaard.example", "+4599887766")
AGENT = Person("Wilhelmina Oxenstierna", "wilhelmina@oxenstierna.example", "+4511223344")
COMMENT = "Fuldstændig uovertruffen betjening, kumquat"
SUBJECT = "Knækket teltstang fra Xanadu"
THREAD = "Min pakke er forsvundet i Ouagadougou"
PERSONAL = (CUSTOMER.name, CUSTOMER.email, CUSTOMER.phone, AGENT.name, AGENT.email, AGENT.phone, "Quistgaard")
TEXTS = (COMMENT, "uovertruffen", "kumquat", SUBJECT, "Xanadu", THREAD, "Ouagadougou")
CARD_TOKEN = "token-of-the-card-0123456789"
SECRETS = (API_TOKEN, WEBHOOK_SECRET, SECRET_KEY, CARD_TOKEN)

STEPS = [
    "close.received",
    "survey.decided",
    "offer.created",
    "survey.delivered",
    "answer.received",
    "result.submitted",
]
PLAIN = (
    # gunicorn logs this line before it loads our log format.
    re.compile(r"\[[-0-9: +]+\] \[\d+\] \[INFO\] Starting gunicorn [.\d]+"),
    # Celery prints its end after an empty line.
    re.compile(r"(worker: Warm shutdown \(MainProcess\))?"),
)
"""The lines that aren't JSON."""


@dataclass
class Run:
    """A survey in separate processes, with their logs and their queue."""

    conversation_id: int
    link: str = ""
    signature: str = ""
    queued: list[str] = field(default_factory=list)
    web: str = ""
    worker: str = ""

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Return the events of both processes in the order of time."""
        lines = [line for line in (self.web + self.worker).splitlines() if not is_plain(line)]
        return sorted(map(json.loads, lines), key=lambda line: line["timestamp"])


def is_plain(line: str) -> bool:
    return any(pattern.fullmatch(line) for pattern in PLAIN)


def take_queue(afterword: Afterword) -> list[str]:
    """Wait for a queued message, and return all messages."""
    client = redis.Redis.from_url(afterword.redis_url, decode_responses=True)
    messages: list[str] = eventually(lambda: client.lrange(KEY, 0, -1))  # type: ignore[arg-type, return-value]
    client.close()
    return messages


def outbound(dixa: Sandbox, conversation_id: int) -> list[Message]:
    return [each for each in dixa.messages(conversation_id) if each.direction == "Outbound"]


@pytest.fixture(scope="module")
def completed(open_dixa: Opener, start: Starter) -> Run:
    dixa = open_dixa(SandboxSettings(tokens=(API_TOKEN,), secret=WEBHOOK_SECRET, rate=None))
    number = dixa.make_conversation(agent=AGENT, requester=CUSTOMER, subject=SUBJECT, state="Closed")
    dixa.state.add_message(number, Message(CUSTOMER.id, THREAD))
    run = Run(number)
    environ = {"GUNICORN_CMD_ARGS": "--access-logfile=-", "DIXA_CARD_TOKEN": CARD_TOKEN}
    afterword = start(SURVEYS, "web", dixa_url=dixa.api_url, **environ)
    close(afterword, dixa, run)
    run.queued += take_queue(afterword)
    # Each kind of error is logged in a different way.
    dixa.fails(status=503, call="conversation")
    dixa.drops_before(call="ratings")
    dixa.executes_then_drops(call="offer")
    dixa.executes_then_drops(call="message")
    dixa.throttles(call="messages", retry_after=1)
    afterword.start("worker")
    run.link = eventually(lambda: find_link(outbound(dixa, number))) or ""
    eventually(lambda: "survey.delivered" in afterword.log)
    afterword.kill("worker")
    answer(run.link)
    show_card(afterword)
    run.queued += take_queue(afterword)
    dixa.executes_then_drops(call="submit")
    afterword.start("worker")
    eventually(lambda: "result.submitted" in afterword.log)
    afterword.stop()
    run.web, run.worker = afterword.log_of("web"), afterword.log_of("worker")
    return run


def close(afterword: Afterword, dixa: Sandbox, run: Run) -> None:
    """Send the webhook, and three variants that are refused."""
    body = json.dumps(closed_event(dixa.conversation(run.conversation_id), dixa.state.organization)).encode()
    headers = sign(body, WEBHOOK_SECRET)
    run.signature = headers["X-DIXA-SIGNATURE"].rpartition("=")[2]
    url = afterword.webhook_url
    statuses = [
        requests.post(url, body + b" ", headers=headers, timeout=30).status_code,
        requests.post(url, b"[" + body, headers=sign(b"[" + body, WEBHOOK_SECRET), timeout=30).status_code,
        requests.post(url, body, headers=headers | {"Content-Type": "text/plain"}, timeout=30).status_code,
        requests.post(url, body, headers=headers, timeout=30).status_code,
    ]
    assert statuses == [401, 400, 415, 202]


def answer(link: str) -> None:
    """Open the link, post a form without the rating, post to a forged link, and then post the answer."""
    statuses = [
        requests.get(link, params={"r": "4"}, timeout=30).status_code,
        requests.get(link.replace("/s/", "/%73/"), headers={"Referer": link}, timeout=30).status_code,
        requests.post(link, {"comment": COMMENT}, timeout=30).status_code,
        requests.post(link[:-1], {"rating": "4", "comment": COMMENT}, timeout=30).status_code,
        requests.post(link, {"rating": "4", "comment": COMMENT}, timeout=30).status_code,
    ]
    assert statuses == [200, 200, 422, 404, 200]


def show_card(afterword: Afterword) -> None:
    """Query the customer's card with the right token and a wrong one, and in odd ways."""
    query, headers = {"email": CUSTOMER.email}, {"Authorization": f"Bearer {CARD_TOKEN}"}
    url = f"{afterword.url}/cards/dixa"
    statuses = [
        requests.get(url, query, headers=headers, timeout=30).status_code,
        requests.get(f"{url}?email={CUSTOMER.email}", headers=headers, timeout=30).status_code,
        requests.get(url, query, headers={"Authorization": f"Bearer {CARD_TOKEN}x"}, timeout=30).status_code,
        requests.get(f"{url}/", query, headers=headers, timeout=30).status_code,
        requests.get(url, query, headers={"X": "y" * 20_000}, timeout=30).status_code,
        requests.post(url, query, headers=headers, timeout=30).status_code,
    ]
    assert statuses == [200, 200, 401, 200, 431, 200]


def hidden(run: Run) -> list[str]:
    token = run.link.rpartition("/")[2]
    return [*filter(None, PERSONAL), *TEXTS, *SECRETS, token, token[:-1], run.signature]


def test_nothing_personal_or_secret_is_logged(completed: Run) -> None:
    everything = completed.web + completed.worker
    assert len(completed.lines) > len(STEPS)
    assert [each for each in hidden(completed) if each in everything or json.dumps(each)[1:-1] in everything] == []


def test_access_log_has_each_request_without_its_token(completed: Run) -> None:
    requested = [line["event"] for line in completed.lines if line["logger"] == "gunicorn.access"]
    assert [line for line in requested if '"GET /s/***' in line]
    assert [line for line in requested if '"GET /cards/dixa?***' in line]
    assert [line for line in requested if '"POST /webhooks/dixa HTTP/1.1" 202' in line]


def test_nothing_personal_or_secret_is_queued(completed: Run) -> None:
    assert [each for each in hidden(completed) if any(each in message for message in completed.queued)] == []
    tasks = [read_task(json.loads(each)) for each in completed.queued]
    assert tasks == [(journey, str(completed.conversation_id)) for journey in (Journey.OFFER, Journey.ANSWER)]


def test_check_finds_each_secret_in_a_log(completed: Run) -> None:
    for each in hidden(completed):
        assert len(each) > 5
        assert each in f"{completed.web} {each}"


@pytest.mark.parametrize("name", ["conversation_id", "survey_id"])
def test_every_step_is_logged_with_the_same_id(completed: Run, name: str) -> None:
    steps = [line for line in completed.lines if line["event"] in STEPS or line["event"] == "offer.adopted"]
    assert [line["event"] for line in steps] == ["offer.adopted" if step == "offer.created" else step for step in STEPS]
    assert {str(line.get(name)) for line in steps} == {str(completed.conversation_id)}


@pytest.mark.parametrize("event", ["call.failed", "call.lost"])
def test_error_of_a_survey_is_logged_with_its_ids(completed: Run, event: str) -> None:
    found = [line for line in completed.lines if line["event"] == event]
    assert found
    assert {(line["survey_id"], line["conversation_id"]) for line in found} == {
        (str(completed.conversation_id), completed.conversation_id)
    }


def test_every_other_line_of_the_log_is_json(completed: Run) -> None:
    odd = [line for line in (completed.web + completed.worker).splitlines() if not (is_plain(line) or is_event(line))]
    assert odd == []


def is_event(line: str) -> bool:
    try:
        return {"event", "level", "timestamp"} <= set(json.loads(line))
    except ValueError:
        return False
