"""The control: the survey service that one writes first. SET NX, delay(), acks_late and self.retry; no records.

It is what the faults must break: a chaos test that this passes shows nothing. Run as `gunicorn tests.chaos.naive:web`
and `celery -A tests.chaos.naive worker`.
"""

import os
from http import HTTPStatus
from typing import Any

import redis
import requests
from celery import Celery
from flask import Flask, request
from flask.typing import ResponseReturnValue

COMMANDS = {
    "web": ["gunicorn", "--config", "gunicorn.conf.py", "tests.chaos.naive:web"],
    **{
        f"worker-{n}": f"celery --quiet -A tests.chaos.naive worker -c 3 -n {n}@%h --without-gossip".split()
        for n in (1, 2)
    },
}
_URL = os.environ.get("REDIS_URL", "redis://localhost")
_DIXA = os.environ.get("DIXA_API_URL", "")
_PUBLIC_URL = os.environ.get("PUBLIC_URL", "")
_TOKEN = os.environ.get("DIXA_API_TOKEN", "")

store = redis.Redis.from_url(_URL)
web = Flask(__name__)
app = Celery("naive", broker=_URL, set_as_current=False)
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    broker_connection_retry_on_startup=True,
    # An hour by default: compressed like all other waits.
    broker_transport_options={"visibility_timeout": 10, "socket_timeout": 5, "socket_connect_timeout": 1},
)


def ask(method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    answer = requests.request(method, _DIXA + path, json=body, headers={"Authorization": _TOKEN}, timeout=2)
    answer.raise_for_status()
    return answer.json()["data"]


@web.post("/webhooks/dixa")
def receive() -> ResponseReturnValue:
    conversation = request.get_json()["data"]["conversation"]
    number = conversation["csid"]
    if store.set(f"seen:{number}", 1, nx=True):
        offer.delay(number, conversation["requester"]["id"], conversation["assignee"]["id"])
    return "", HTTPStatus.ACCEPTED


@web.post("/s/<int:number>.<rating_id>")
def answered(number: int, rating_id: str) -> ResponseReturnValue:
    if store.set(f"answered:{rating_id}", 1, nx=True):
        submit.delay(number, rating_id, int(request.form["rating"]))
    return "Thank you"


@app.task(bind=True, max_retries=None, default_retry_delay=0.5, shared=False)  # type: ignore[untyped-decorator]
def offer(self: Any, number: int, user_id: str, agent_id: str) -> None:
    try:
        made = ask(
            "POST",
            f"/conversations/{number}/ratings/offer",
            {"ratingType": "Csat", "userId": user_id, "agentId": agent_id},
        )
        text = f"How was it? {_PUBLIC_URL}/s/{number}.{made['id']}"
        content = {"value": text, "_type": "Markdown"}
        ask(
            "POST",
            f"/conversations/{number}/messages",
            {"agentId": agent_id, "content": content, "_type": "Outbound"},
        )
    except requests.RequestException as error:
        raise self.retry(exc=error) from error


@app.task(bind=True, max_retries=20, default_retry_delay=0.5, shared=False)  # type: ignore[untyped-decorator]
def submit(self: Any, number: int, rating_id: str, score: int) -> None:
    try:
        path = f"/conversations/{number}/ratings/{rating_id}/submit"
        ask("POST", path, {"ratingResult": {"value": score, "_type": "Csat"}})
    except requests.RequestException as error:
        raise self.retry(exc=error) from error
