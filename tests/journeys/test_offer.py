"""The customer and the agent of an offer, and the time that it waits for its first slot."""

from dataclasses import replace
from datetime import timedelta

import pytest

from service.sandbox.server import Sandbox
from service.surveys.definition import Credit
from service.surveys.ports import Deadline, Slot
from service.surveys.states import OfferState
from service.surveys.words import Sender
from tests.harness import AT_ONCE, CSAT, Story

SECOND = timedelta(seconds=1)


def requester_and_agent(dixa: Sandbox) -> tuple[str | None, str | None]:
    """Return the requester and the agent of the offer."""
    body = next(each.request_json for each in dixa.calls if each.call == "offer")
    return body.get("userId"), body.get("agentId")


@pytest.mark.parametrize("credit", Credit)
def test_credit_decides_about_the_agent_of_the_rating(story: Story, credit: Credit) -> None:
    number = story.dixa.make_conversation()
    at_close = story.dixa.conversation(number).agent
    survey_id = story.close(number, replace(AT_ONCE, credit=credit))
    story.dixa.conversation(number).agent = story.dixa.state.agents[1]
    assert story.ask(survey_id).offer.state is OfferState.DELIVERED
    assert at_close
    assert requester_and_agent(story.dixa)[1] == (at_close.id if credit is Credit.ASSIGNEE else None)


@pytest.mark.parametrize("is_known", [True, False])
def test_offer_has_the_requester_and_agent_of_the_close_or_else_of_dixa(story: Story, *, is_known: bool) -> None:
    number = story.dixa.make_conversation()
    found = story.dixa.conversation(number)
    terms = replace(AT_ONCE, senders={"": Sender(agent=story.dixa.state.agents[1].id)})
    facts = {"requester_id": "of-the-close", "agent_id": "of-the-close"}
    survey_id = story.close(number, terms, **(facts if is_known else dict.fromkeys(facts)))
    story.offering.run(survey_id)
    assert found.agent
    assert requester_and_agent(story.dixa) == (
        ("of-the-close",) * 2 if is_known else (found.requester.id, found.agent.id)
    )


def test_offer_waits_half_as_long_as_an_answer_for_its_first_slot(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So answers take precedence."""
    waits: list[timedelta] = []
    take_slot = story.calls.take_slot

    def watch(deadline: Deadline, max_wait: timedelta) -> Slot:
        waits.append(max_wait)
        return take_slot(deadline, max_wait)

    survey_id = story.begin()
    monkeypatch.setattr(story.calls, "take_slot", watch)
    story.offering.run(survey_id)
    assert waits[0] == SECOND / 2
    waits.clear()
    story.answer(survey_id, {CSAT: 4})
    story.answering.run(survey_id)
    assert waits == [SECOND] * 2
