"""Closes and answers conversations over HTTP, and checks the outcome of each."""

import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from threading import Event, Lock, Thread
from typing import Self

import requests

from service.sandbox.dixa.webhooks import closed_event, post, sign
from service.sandbox.server import Sandbox
from tests.integration.live_survey import find_link
from tests.processes import WEBHOOK_SECRET

_DUPLICATES = 0.3
_AGAIN_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Verdict:
    """The lost and the duplicate surveys."""

    accepted: int
    thanked: int
    lost: dict[str, int]
    doubled: dict[str, int]
    refused_messages: int

    def __str__(self) -> str:
        refused = f" ({self.refused_messages} messages refused by their externalId)" if self.refused_messages else ""
        return (
            f"{self.accepted} closes accepted, {self.thanked} answers thanked for; "
            f"lost {_told(self.lost)}, doubled {_told(self.doubled)}{refused}"
        )

    @property
    def is_clean(self) -> bool:
        return not any(self.lost.values()) and not any(self.doubled.values())

    @property
    def is_doubled(self) -> bool:
        return any(self.doubled.values())


def _told(counts: dict[str, int]) -> str:
    found = [f"{count} {name}" for name, count in counts.items() if count]
    return ", ".join(found) or "0"


class Customers:
    """Closes `count` conversations, delivers each webhook until a 2xx, some again, and answers every link."""

    def __init__(self, dixa: Sandbox, webhook_url: str, random: Random, duplicates: float = _DUPLICATES) -> None:
        self._dixa = dixa
        self._url = webhook_url
        self._random = random
        self._duplicates = duplicates
        self._lock = Lock()
        self._stopping = Event()
        self._waiting: set[int] = set()
        self._told: list[tuple[int, bytes]] = []
        self.accepted: set[int] = set()
        self.thanked: dict[int, int] = {}
        self.statuses: Counter[int | str] = Counter()
        self._pool = ThreadPoolExecutor(8, thread_name_prefix="customer")
        self._watcher = Thread(target=self._watch, name="watcher", daemon=True)

    def __enter__(self) -> Self:
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._watcher.join()
        self._pool.shutdown(cancel_futures=True)

    def close(self, count: int, per_second: float) -> None:
        """Close this many, at this rate. Return once all webhooks are being sent."""
        for _ in range(count):
            number = self._dixa.make_conversation(channel=self._random.choice(("Email", "Sms", "WidgetChat")))
            self._dixa.close(number)
            event = closed_event(self._dixa.conversation(number), self._dixa.state.organization)
            body = json.dumps(event).encode()
            self._pool.submit(self._deliver, number, body)
            if self._random.random() < self._duplicates:
                # At the same time, or one sent long before.
                self._told.append((number, body))
                self._pool.submit(self._deliver, *self._random.choice(self._told))
            Event().wait(self._random.uniform(0, 2 / per_second))

    def is_served(self) -> bool:
        """Return whether all accepted surveys are answered and submitted."""
        with self._lock:
            return 0 < len(self.thanked) == len(self.accepted) and self.results() >= len(self.thanked)

    def results(self) -> int:
        return len(self._dixa.results())

    def verdict(self) -> Verdict:
        dixa = self._dixa
        with self._lock:
            accepted, thanked = tuple(self.accepted), dict(self.thanked)
        with dixa.state.lock:
            offers = {n: len(dixa.offers(n)) for n in accepted}
            sent = {n: sum(each.direction == "Outbound" for each in dixa.messages(n)) for n in accepted}
            results = {n: [each.value for each in dixa.results(n)] for n in accepted}
        return Verdict(
            accepted=len(accepted),
            thanked=len(thanked),
            lost={
                "offers": sum(not count for count in offers.values()),
                "messages": sum(bool(offers[n]) and not sent[n] for n in accepted),
                "results": sum(score not in results[n] for n, score in thanked.items()),
            },
            doubled={
                "offers": sum(max(0, count - 1) for count in offers.values()),
                "messages": sum(max(0, count - 1) for count in sent.values()),
                "results": len(dixa.report.double_submits),
            },
            refused_messages=len(dixa.report.duplicate_messages),
        )

    def _deliver(self, number: int, body: bytes) -> None:
        def deliver() -> bool:
            status = post(self._url, body, sign(body, WEBHOOK_SECRET))
            self.statuses[status] += 1
            return 200 <= status < 300

        if self._until_it_is(deliver):
            with self._lock:
                if number not in self.accepted:
                    self._waiting.add(number)
                self.accepted.add(number)

    def _watch(self) -> None:
        while not self._stopping.wait(0.1):
            with self._lock:
                waiting = list(self._waiting)
            for number in waiting:
                messages = [each for each in self._dixa.messages(number) if each.direction == "Outbound"]
                if link := find_link(messages):
                    with self._lock:
                        self._waiting.discard(number)
                    self._pool.submit(self._answer, number, link)

    def _answer(self, number: int, link: str) -> None:
        score = number % 5 + 1

        def answer() -> bool:
            shown = requests.post(link, data={"rating": score, "comment": f"Tak {number}"}, timeout=5)
            self.statuses[shown.status_code] += 1
            return shown.ok and (bool(shown.history) or "Thank you" in shown.text)

        if self._until_it_is(answer):
            with self._lock:
                self.thanked[number] = score

    def _until_it_is(self, done: Callable[[], bool]) -> bool:
        while not self._stopping.is_set():
            with suppress(OSError):
                if done():
                    return True
            self._stopping.wait(_AGAIN_SECONDS)
        return False
