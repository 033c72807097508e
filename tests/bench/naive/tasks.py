"""The tasks: the offer, the message with the link, and the result. `celery -A tests.bench.naive.tasks worker`."""

import os
from typing import Any

import requests
from celery import Celery
from itsdangerous import URLSafeSerializer

REDIS_URL = os.environ.get("REDIS_URL", "redis://localhost")
_DIXA = os.environ.get("DIXA_API_URL", "")
_PUBLIC_URL = os.environ.get("PUBLIC_URL", "")
_TOKEN = os.environ.get("DIXA_API_TOKEN", "")
_TIMEOUT_SECONDS = 10

links = URLSafeSerializer(os.environ.get("SECRET_KEYS", ""), salt="survey")
app = Celery("naive", broker=REDIS_URL, set_as_current=False)
app.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True)
_session = requests.Session()

# The example of Celery's documentation: three retries after 1, 2 and 4 s at most, at random.
_RETRIES: dict[str, Any] = {"autoretry_for": (requests.RequestException,), "retry_backoff": True, "shared": False}


def call(method: str, path: str, body: dict[str, Any]) -> Any:
    """Call Dixa's API and return the response's data. Raises RequestException, also for a 429."""
    response = _session.request(
        method, _DIXA + path, json=body, headers={"Authorization": _TOKEN}, timeout=_TIMEOUT_SECONDS
    )
    response.raise_for_status()
    return response.json()["data"]


@app.task(**_RETRIES)  # type: ignore[untyped-decorator]
def offer(number: int, user_id: str, agent_id: str) -> None:
    """Offer the rating, and queue its message: a retry of that must not make a second offer."""
    rating = {"ratingType": "Csat", "userId": user_id, "agentId": agent_id}
    made = call("POST", f"/conversations/{number}/ratings/offer", rating)
    message.delay(number, agent_id, made["id"])


@app.task(**_RETRIES)  # type: ignore[untyped-decorator]
def message(number: int, agent_id: str, rating_id: str) -> None:
    """Send the link."""
    link = f"{_PUBLIC_URL}/s/{links.dumps([number, rating_id])}"
    content = {"value": f'<p>How was it?</p><p><a href="{link}">Rate your support</a></p>', "_type": "Html"}
    body = {"agentId": agent_id, "content": content, "_type": "Outbound", "externalId": f"survey-{number}"}
    call("POST", f"/conversations/{number}/messages", body)


@app.task(**_RETRIES)  # type: ignore[untyped-decorator]
def submit(number: int, rating_id: str, score: int, comment: str) -> None:
    """Submit the customer's answer."""
    result = {"ratingResult": {"value": score, "_type": "Csat"}, "comment": comment}
    call("POST", f"/conversations/{number}/ratings/{rating_id}/submit", result)
