"""One conversation and its survey in running processes, with the steps of its customer and agent."""

import re
from dataclasses import dataclass
from typing import Any

import requests

from service.records.records import Records
from service.sandbox.dixa.model import Conversation, Message, Rating, Result
from service.sandbox.server import Sandbox
from service.surveys.links import Link, Links
from service.surveys.model import Record
from service.surveys.states import AnswerState, Journey
from tests.polling import eventually

TERMINAL = {"delivered", "skipped", "cancelled", "failed"}
_LINK = re.compile(r"https?://[^\s\"<]+/s/[A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class LiveSurvey:
    """Each method waits until its step is complete."""

    dixa: Sandbox
    records: Records
    links: Links
    id: int

    @property
    def conversation(self) -> Conversation:
        return self.dixa.conversation(self.id)

    @property
    def offers(self) -> list[Rating]:
        return self.dixa.offers(self.id)

    @property
    def results(self) -> list[Result]:
        return self.dixa.results(self.id)

    @property
    def sent(self) -> list[Message]:
        """The messages sent through the API."""
        return [each for each in self.dixa.messages(self.id) if each.direction == "Outbound"]

    @property
    def record(self) -> Record:
        found = self.records.load(str(self.id))
        assert found, "no record"
        return found

    def close(self) -> "LiveSurvey":
        """Close the conversation, and wait for the 202 to its webhook."""
        self.dixa.close(self.id)
        delivery = self.dixa.deliveries(self.id)[-1]
        eventually(lambda: delivery.is_done)
        assert delivery.status == 202
        return self

    def link(self) -> str:
        """Wait for the end of the offer journey, and return the customer's link."""
        found = eventually(lambda: find_link(self.sent))
        assert found
        self.ended()
        return found

    def read_link(self) -> Link:
        return self.links.read(self.link().rpartition("/")[2])

    def answer(self, **form: Any) -> requests.Response:
        """Post the form and follow the redirect."""
        return requests.post(self.link(), data=form, timeout=30)

    def end_editing(self) -> None:
        """End the time in which the customer can change the answer."""
        survey_id, due = str(self.id), self.records._due(Journey.ANSWER)
        self.records._redis.hset(self.records._key(survey_id), "answer_due", "0")
        self.records._redis.zadd(due, {survey_id: 0})

    def submitted(self) -> Record:
        """Wait until the result is submitted, and return the record."""
        eventually(lambda: (self.record.answer or _NOT_YET).state == AnswerState.SUBMITTED)
        return self.record

    def ended(self) -> Record:
        """Wait for the end of the offer journey, and return the record."""
        eventually(lambda: self.records.load(str(self.id)))
        eventually(lambda: self.record.offer.state in TERMINAL)
        return self.record


class _NotYet:
    state = None


_NOT_YET = _NotYet()


def find_link(messages: list[Message]) -> str | None:
    """Return the survey's link in the latest message with one."""
    found = (_LINK.search(each.value) for each in reversed(messages))
    return next((match.group() for match in found if match), None)
