"""Workers made of the real parts in one process, with their own Redis and sandbox Dixa."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any

from service.sandbox.server import Sandbox
from service.surveys.definition import Survey
from service.surveys.links import Link
from service.surveys.model import Close
from service.surveys.ratings import RatingType
from service.surveys.states import AnswerState, OfferState
from tests.chaos.crashing_worker import Place, Worker
from tests.harness import ANSWER_OVER, OFFER_OVER
from tests.polling import eventually
from tests.processes import RedisServer
from tests.sandboxes import sandbox

_LONGEST_WAIT_SECONDS = 600.0
_STEP_SECONDS = 0.1

TERMS = Survey(delay=timedelta(), editable_for=timedelta())


@dataclass(frozen=True, slots=True)
class Sum:
    """The outcome of all conversations. Orphans are offers found too late, and taken for another system's."""

    conversations: int
    lost: int
    second_offers: int
    second_messages: int
    double_submits: int
    orphans: int

    @property
    def doubled(self) -> int:
        return self.second_offers + self.second_messages + self.double_submits

    @property
    def is_clean(self) -> bool:
        return not self.lost and not self.doubled

    def __str__(self) -> str:
        return f"{self.conversations} conversations: lost {self.lost}, doubled {self.doubled}"


class WorkerPool:
    """Workers, and customers with immediate answers, until the end of the context."""

    def __init__(self, dixa: Sandbox, place: Place, **pace: Any) -> None:
        self.dixa = dixa
        self._place = place
        self._pace = pace
        self._stopping = Event()
        self._desk = Worker(place)
        self._unanswered: set[int] = set()
        self._numbers: list[int] = []

    def close(self, count: int) -> None:
        """Close new conversations and accept their webhooks."""
        for _ in range(count):
            number = self.dixa.make_conversation()
            self.dixa.close(number)
            found = self.dixa.conversation(number)
            assert found.agent
            close = Close(
                number,
                datetime.now(UTC),
                "Email",
                "Inbound",
                requester_id=found.requester.id,
                agent_id=found.agent.id,
            )
            self._desk.take_close(close, TERMS)
            self._numbers.append(number)
            self._unanswered.add(number)

    def work(self) -> None:
        """Run one worker."""
        worker = Worker(self._place, **self._pace)
        while not self._stopping.wait(_STEP_SECONDS):
            worker.step()

    def answer_what_came(self) -> None:
        """Answer each survey once, as its customer."""
        while not self._stopping.wait(_STEP_SECONDS):
            for number in list(self._unanswered):
                record = self._desk.records.load(str(number))
                if record and record.offer.state is OfferState.DELIVERED:
                    self._unanswered.discard(number)
                    self._desk.take_answer(Link.to(record), TERMS, {RatingType.CSAT: 4})

    def wait(self) -> None:
        """Wait until all surveys have ended."""
        eventually(lambda: all(self._is_over(number) for number in self._numbers), _LONGEST_WAIT_SECONDS)

    def stop(self) -> None:
        self._stopping.set()

    def sum(self) -> Sum:
        records = [self._desk.records.load(str(number)) for number in self._numbers]
        sent = [sum(each.direction == "Outbound" for each in self.dixa.messages(n)) for n in self._numbers]
        submitted = [r and r.answer and r.answer.state is AnswerState.SUBMITTED for r in records]
        return Sum(
            conversations=len(records),
            lost=sum(
                not (is_submitted and count and self.dixa.results(number))
                for is_submitted, count, number in zip(submitted, sent, self._numbers, strict=True)
            ),
            second_offers=len(self.dixa.report.second_offers),
            second_messages=sum(max(0, count - 1) for count in sent),
            double_submits=len(self.dixa.report.double_submits),
            orphans=sum(r is not None and r.offer.reason == "already_surveyed" for r in records),
        )

    def _is_over(self, number: int) -> bool:
        record = self._desk.records.load(str(number))
        if record is None or record.offer.state not in OFFER_OVER:
            return False
        if record.offer.state is not OfferState.DELIVERED:
            return True
        return record.answer is not None and record.answer.state in ANSWER_OVER


@contextmanager
def worker_pool(
    place: Place, *, size: int = 4, settings: Mapping[str, Any] | None = None, **pace: Any
) -> Iterator[WorkerPool]:
    """Run a pool of workers with a new Redis and Dixa at `place`."""
    with (
        sandbox(**(settings or {})) as dixa,
        TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as folder,
        ThreadPoolExecutor(size + 1) as pool,
    ):
        server = RedisServer(Path(folder))
        server.start()
        made = WorkerPool(
            dixa, replace(place, redis_url=server.url, dixa_url=dixa.api_url, prefix="afterword:"), **pace
        )
        hands = [pool.submit(made.answer_what_came), *(pool.submit(made.work) for _ in range(size))]
        try:
            yield made
        finally:
            made.stop()
            for hand in hands:
                hand.result()
            server.stop()
