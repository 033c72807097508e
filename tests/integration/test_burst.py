"""Forty conversations close at once. Each has one offer and one result, despite killed workers and the rate limit."""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
import requests

from service.sandbox.dixa.model import Exchange, Message, Person, now
from service.sandbox.server import Sandbox
from service.sandbox.settings import SandboxSettings
from tests.integration.conftest import Opener, Starter
from tests.integration.live_survey import find_link
from tests.polling import eventually
from tests.processes import API_TOKEN, WEBHOOK_SECRET, Afterword

COUNT = 40
MAX_THROTTLED = 0.05
SURVEYS = """
[[survey]]
name = "default"
delay = "0s"
editable_for = "0s"
suspect_editable_for = "0s"
"""
AS_SHIPPED = {
    "DIXA_PACE": "9.9/3",
    "LEASE": "60s",
    "STEP_BUDGET": "15s",
    "RECONCILE_AFTER": "60s",
    "RELAY_INTERVAL": "250ms",
    "RECOVERY_WAIT": "10s",
}
"""The defaults."""

Kill = Callable[[], None]


@dataclass
class Burst:
    """Conversations with distinct customers, agents and answers."""

    dixa: Sandbox
    ids: list[int] = field(default_factory=list)
    began: datetime = field(default_factory=now)

    @classmethod
    def of(cls, dixa: Sandbox, count: int) -> "Burst":
        burst = cls(dixa)
        for number in range(count):
            agent, customer = Person(f"Agent {number}"), Person(f"Customer {number}")
            burst.ids.append(dixa.make_conversation(agent=agent, requester=customer))
        return burst

    def score(self, number: int) -> int:
        return number % 5 + 1

    def comment(self, number: int) -> str:
        return f"svar nr. {number} på {self.ids[number]} 🙂"

    def close(self) -> None:
        for each in self.ids:
            self.dixa.close(each)

    def answer(self, number: int) -> None:
        """Answer as the customer once the link has arrived."""
        link = eventually(lambda: find_link(self.outbound(number)))
        assert link
        form = {"rating": str(self.score(number)), "comment": self.comment(number)}
        assert requests.post(link, data=form, timeout=30).status_code == 200

    def outbound(self, number: int) -> list[Message]:
        return [each for each in self.dixa.messages(self.ids[number]) if each.direction == "Outbound"]

    def assert_once_each(self) -> None:
        """Assert that every conversation has exactly its own offer, message and result."""
        for number, each in enumerate(self.ids):
            conversation = self.dixa.conversation(each)
            assert conversation.agent
            offers = [(offer.type, offer.user_id, offer.agent_id) for offer in self.dixa.offers(each)]
            assert offers == [("Csat", conversation.requester.id, conversation.agent.id)]
            messages = [(message.external_id, message.author_id) for message in self.outbound(number)]
            assert messages == [(f"afterword-{each}", conversation.agent.id)]
            results = [(result.type, result.value, result.comment) for result in self.dixa.results(each)]
            assert results == [("Csat", self.score(number), self.comment(number))]
        report = self.dixa.report
        assert (report.second_offers, report.double_submits, report.duplicate_messages) == ([], [], [])
        assert report.rejections == 0

    def assert_in_pace(self, rate: float = 9.9, burst: int = 3) -> None:
        """Assert that no call arrived before the pace allowed it, and that Dixa throttled only a few.

        On a machine under load calls arrive later, never earlier. Some arrive together, so Dixa may throttle a few.
        Without a shared pace it throttles more than a tenth (row 8).
        """
        # A worker looks up names when it starts, perhaps before the burst.
        arrived = sorted(each.at for each in self.dixa.calls if each.at >= self.began)
        allowed = [burst + rate * (at - self.began).total_seconds() for at in arrived]
        assert [count for count, most in enumerate(allowed, 1) if count > most] == []
        assert self.dixa.report.throttled <= len(arrived) * MAX_THROTTLED


def run(burst: Burst, afterword: Afterword, during: Kill | None = None) -> None:
    """Close all conversations at once, answer each survey, and wait until Dixa has all results."""
    dixa = burst.dixa
    dixa.sends_webhooks_to(afterword.webhook_url)
    burst.began = now()
    with ThreadPoolExecutor(COUNT) as customers:
        burst.close()
        answers = [customers.submit(burst.answer, number) for number in range(len(burst.ids))]
        if during:
            during()
        for each in answers:
            each.result()
    eventually(lambda: len(dixa.results()) >= len(burst.ids))
    calls = dixa.calls
    seconds = (calls[-1].at - calls[0].at).total_seconds()
    sys.stdout.write(
        f"\n{len(burst.ids)} surveys: {len(calls)} calls in {seconds:.1f} s = {len(calls) / seconds:.2f}/s, "
        f"{dixa.report.rejections} refused, {dixa.report.throttled} times 429\n"
    )


def test_forty_closes_at_once_stay_within_dixas_rate_limit(open_dixa: Opener, start: Starter) -> None:
    dixa = open_dixa(SandboxSettings(tokens=(API_TOKEN,), secret=WEBHOOK_SECRET))
    assert (dixa.settings.rate, dixa.settings.burst) == (10, 4)
    burst = Burst.of(dixa, COUNT)
    afterword = start(SURVEYS, dixa_url=dixa.api_url, **AS_SHIPPED)
    run(burst, afterword)
    afterword.stop()
    burst.assert_once_each()
    burst.assert_in_pace()


def test_worker_killed_twice_during_a_burst_makes_no_duplicates(open_dixa: Opener, start: Starter) -> None:
    dixa = open_dixa(SandboxSettings(tokens=(API_TOKEN,), secret=WEBHOOK_SECRET, rate=25, burst=10))
    burst = Burst.of(dixa, COUNT)
    afterword = start(SURVEYS, dixa_url=dixa.api_url, DIXA_PACE="24/4")

    def kill_twice() -> None:
        for made in (COUNT // 4, COUNT * 2 // 3):
            eventually(lambda made=made: len(dixa.offers()) >= made)  # type: ignore[misc]
            afterword.kill("worker")
            assert len(dixa.results()) < COUNT, "the burst was over before the kill"
            afterword.start("worker")

    run(burst, afterword, kill_twice)
    afterword.stop()
    burst.assert_once_each()
    burst.assert_in_pace(rate=24, burst=4)


@pytest.fixture
def complete_burst() -> Burst:
    """Make a sandbox with one offer, message and result for each conversation."""
    burst = Burst.of(Sandbox(SandboxSettings(tokens=(API_TOKEN,))), 3)
    for number, each in enumerate(burst.ids):
        conversation = burst.dixa.conversation(each)
        assert conversation.agent
        made = offer(burst, number)
        external_id = f"afterword-{each}"
        burst.dixa.state.add_message(each, Message(conversation.agent.id, "link", "Outbound", external_id=external_id))
        burst.dixa.state.submit(each, made, value=burst.score(number), comment=burst.comment(number), submitted_at=None)
    return burst


def offer(burst: Burst, number: int, kind: str = "Csat") -> str:
    conversation = burst.dixa.conversation(burst.ids[number])
    assert conversation.agent
    made = burst.dixa.state.offer(
        conversation.id, kind, user_id=conversation.requester.id, agent_id=conversation.agent.id, offered_at=None
    )
    return made.id


def make_second_offer(burst: Burst) -> None:
    offer(burst, 1)


def offer_by_an_api_call(burst: Burst) -> None:
    burst.dixa.start()
    path = f"/conversations/{burst.ids[1]}/ratings/offer"
    headers = {"Authorization": API_TOKEN}
    response = requests.post(burst.dixa.api_url + path, json={"ratingType": "Csat"}, headers=headers, timeout=30)
    burst.dixa.stop()
    assert response.status_code == 201


def lose_result(burst: Burst) -> None:
    burst.dixa.offers(burst.ids[1])[0].result = None


def repeat_message(burst: Burst) -> None:
    burst.dixa.conversation(burst.ids[1]).messages.append(burst.outbound(1)[0])


def swap_agent(burst: Burst) -> None:
    burst.dixa.offers(burst.ids[1])[0].agent_id = burst.dixa.offers(burst.ids[2])[0].agent_id


def test_check_accepts_one_offer_message_and_result_each(complete_burst: Burst) -> None:
    complete_burst.assert_once_each()
    complete_burst.assert_in_pace()


MISTAKES = [make_second_offer, offer_by_an_api_call, lose_result, repeat_message, swap_agent]


@pytest.mark.parametrize("mistake", MISTAKES)
def test_check_finds_a_duplicate_or_wrong_value(complete_burst: Burst, mistake: Callable[[Burst], None]) -> None:
    mistake(complete_burst)
    with pytest.raises(AssertionError):
        complete_burst.assert_once_each()


def test_check_finds_a_call_above_the_rate_limit(complete_burst: Burst) -> None:
    def call_after(seconds: float) -> Exchange:
        at = complete_burst.began + timedelta(seconds=seconds)
        return Exchange("conversation", "GET", "/", {}, b"", 200, b"", None, 0.0, at=at)

    complete_burst.dixa.state.exchanges.extend([call_after(0), call_after(0), call_after(0), call_after(0.11)])
    complete_burst.assert_in_pace()
    complete_burst.dixa.state.exchanges.append(call_after(0.2))
    with pytest.raises(AssertionError):
        complete_burst.assert_in_pace()


def test_check_finds_throttled_calls(complete_burst: Burst) -> None:
    complete_burst.dixa.report.throttled += 1
    complete_burst.assert_once_each()
    with pytest.raises(AssertionError):
        complete_burst.assert_in_pace()
