"""Follow-ups in real processes. The team gets each one once, also after a failure."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
import requests

from service.records.records import Records
from service.sandbox.server import Sandbox
from service.surveys.links import Links
from service.surveys.model import Record
from service.surveys.states import ActionState, FollowUpState
from tests.integration.conftest import Starter
from tests.integration.live_survey import LiveSurvey
from tests.polling import eventually
from tests.processes import BIN, ROOT, SECRET_KEY, Afterword, patient
from tests.receiver import SECRET, Receiver, receiving

SURVEYS = """
[[survey]]
name = "editable"
delay = "0s"
editable_for = "1h"
suspect_editable_for = "0s"
match = {queues = ["Editable"]}
[[survey.on_answer]]
scores = [1, 2]
slack = true
note = true

[[survey]]
name = "sent"
delay = "0s"
editable_for = "0s"
suspect_editable_for = "0s"
deliver = ["message", "webhook"]
match = {queues = ["Sent"]}

[[survey]]
name = "noted"
delay = "0s"
editable_for = "0s"
suspect_editable_for = "0s"
deliver = ["message", "note"]
match = {queues = ["Noted"]}

[[survey]]
name = "default"
delay = "0s"
editable_for = "0s"
suspect_editable_for = "0s"
[[survey.on_answer]]
scores = [1, 2]
slack = true
note = true
tag = "unhappy"
webhook = true
comment = true
[[survey.on_answer]]
scores = [5]
thank_you = "https://reviews.example/northwind?from=survey"
redirect = true
"""
COMMENT = "Ingen svarede <mig> & jeg ventede"


@dataclass
class Team:
    """Afterword and the receiver of answers."""

    afterword: Afterword
    receiver: Receiver
    records: Records
    links: Links
    dixa: Sandbox

    def new_survey(self, **facts: object) -> LiveSurvey:
        return LiveSurvey(self.dixa, self.records, self.links, self.dixa.make_conversation(**facts))

    def followed(self, story: LiveSurvey) -> Record:
        eventually(lambda: self._is_over(story))
        return story.record

    @staticmethod
    def _is_over(story: LiveSurvey) -> bool:
        found = story.record.follow_up
        return found is not None and found.state is not FollowUpState.FOLLOWING

    def alerts(self, story: LiveSurvey) -> list[str]:
        texts = [str(post.body["text"]) for post in self.receiver.taken("/slack")]
        return [text for text in texts if f"conversation {story.id}" in text]


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture(scope="module")
def following(start: Starter, receiver: Receiver) -> Afterword:
    return start(
        SURVEYS,
        SLACK_WEBHOOK_URL=f"{receiver.url}/slack",
        ANSWER_WEBHOOK_URL=f"{receiver.url}/answer",
        ANSWER_WEBHOOK_SECRET=SECRET,
        DELIVERY_WEBHOOK_URL=f"{receiver.url}/links",
        DELIVERY_WEBHOOK_SECRET=SECRET,
        THANK_YOU_HOSTS="reviews.example",
    )


@pytest.fixture
def team(following: Afterword, receiver: Receiver, dixa: Sandbox) -> Iterator[Team]:
    dixa.sends_webhooks_to(following.webhook_url)
    dixa.state.tag("unhappy")
    client = patient(following.redis_url)
    records = Records(client, lease=timedelta(seconds=60), keep=timedelta(days=90))
    yield Team(following, receiver, records, Links([SECRET_KEY], following.url), dixa)
    client.close()


def nothing(_team: Team) -> None:
    """Cause no failure."""


FAILURES: dict[str, Callable[[Team], None]] = {
    "nothing": nothing,
    "slack": lambda team: team.receiver.next["/slack"].extend([503, 503]),
    "webhook": lambda team: team.receiver.next["/answer"].extend([503, 500, 0]),
    "note": lambda team: team.dixa.fails(2, 503, call="note"),
    "a lost note": lambda team: team.dixa.executes_then_drops(1, call="note"),
    "tag": lambda team: team.dixa.fails(2, 503, call="tag"),
    "tags": lambda team: team.dixa.fails(1, 503, call="tags"),
}


@pytest.mark.parametrize("failing", FAILURES)
def test_low_score_is_followed_up_once_after_a_failure(team: Team, failing: str) -> None:
    story = team.new_survey().close()
    story.link()
    FAILURES[failing](team)
    story.answer(rating="1", comment=COMMENT)
    record = team.followed(story)
    assert record.follow_up
    assert {each.state for each in record.follow_up.actions.values()} == {ActionState.DONE}
    story.submitted()
    assert [each.value for each in story.results] == [1]
    (alert,) = team.alerts(story)
    assert "Very dissatisfied (1 of 5)" in alert
    (note,) = team.dixa.notes(story.id)
    assert COMMENT in note.message
    assert [tag.name for tag in story.conversation.tags] == ["unhappy"]
    events = [post for post in team.receiver.taken("/answer") if post.id == f"afterword-{story.id}-answered"]
    assert len(events) == 1
    data = events[0].body["data"]
    assert (events[0].body["type"], data["scores"], data["comment"]) == ("survey.answered", {"Csat": 1}, COMMENT)
    assert (data["conversation_id"], data["agent_id"]) == (story.id, story.offers[0].agent_id)


def test_low_score_is_alerted_while_the_answer_is_editable(team: Team) -> None:
    story = team.new_survey(queue="Editable").close()
    story.answer(rating="2", comment=COMMENT)
    eventually(lambda: team.alerts(story))
    assert (story.results, team.dixa.notes(story.id)) == ([], [])
    assert story.record.answer
    assert story.record.answer.state == "editable"


def test_worker_killed_during_an_alert_sends_no_duplicate(team: Team) -> None:
    """The worker is killed during the request to the receiver, so the outcome is unknown."""
    story = team.new_survey().close()
    story.link()
    team.receiver.held.clear()
    seen = len(team.receiver.of("/slack"))
    story.answer(rating="1")
    eventually(lambda: len(team.receiver.of("/slack")) > seen)
    team.afterword.kill("worker")
    team.receiver.held.set()
    team.afterword.start("worker")
    team.followed(story)
    assert len(team.alerts(story)) == 1
    assert len(team.dixa.notes(story.id)) == 1
    assert len({post.id for post in team.receiver.of("/answer") if f"-{story.id}-" in str(post.id)}) == 1


def test_high_score_shows_the_link_and_alerts_nobody(team: Team) -> None:
    story = team.new_survey().close()
    link, before = story.link(), len(team.receiver.posts)
    thanks = requests.post(link, data={"rating": "5"}, timeout=30)
    assert [(each.status_code, each.headers["Location"].startswith("/s/")) for each in thanks.history] == [(303, True)]
    assert re.search(r'<a href="?https://reviews\.example/northwind\?from=survey"?>', thanks.text)
    story.submitted()
    record = team.followed(story)
    assert (record.follow_up and record.follow_up.actions) == {}
    assert len(team.receiver.posts) == before


def test_link_of_an_unreachable_customer_is_sent_to_the_webhook(team: Team) -> None:
    team.receiver.next["/links"] = [503]
    story = team.new_survey(queue="Sent", channel="PstnPhone").close()
    record = story.ended()
    assert (record.offer.state, record.offer.channel) == ("delivered", "webhook")
    first, second = (post for post in team.receiver.of("/links") if post.body["data"]["conversation_id"] == story.id)
    assert first.id == second.id == f"afterword-{story.id}-link"
    data = second.body["data"]
    assert data["requester_id"] == story.conversation.requester.id
    assert (data["language"], data["channel"]) == ("en", "PstnPhone")
    assert team.links.read(data["link"].rpartition("/")[2]).survey_id == str(story.id)


def test_link_of_an_unreachable_customer_is_added_as_a_note(team: Team) -> None:
    team.dixa.executes_then_drops(1, call="note")
    story = team.new_survey(queue="Noted", channel="PstnPhone").close()
    record = story.ended()
    assert (record.offer.state, record.offer.channel) == ("delivered", "note")
    (note,) = team.dixa.notes(story.id)
    assert "/s/" in note.message


def test_why_shows_the_follow_ups(team: Team) -> None:
    story = team.new_survey().close()
    story.answer(rating="1", comment=COMMENT)
    team.followed(story)
    text, facts = (_why(team, story, *options) for options in ((), ("--json",)))
    for name in ("slack", "note", "webhook", "tag:unhappy"):
        assert f"Follow-up {name}: done" in text
    assert "Follow-up slack:comment: done (part of the alert)" in text
    assert json.loads(facts)["follow_up"]["actions"]["slack"]["sent_scores"] == {"Csat": 1}
    assert json.loads(facts)["follow_up"]["actions"]["note"] == {"state": "done", "problem": None}
    assert COMMENT not in text + facts


def _why(team: Team, story: LiveSurvey, *options: str) -> str:
    command = [str(BIN / "afterword"), "why", str(story.id), *options]
    done = subprocess.run(command, env=team.afterword._environ, cwd=ROOT, capture_output=True, text=True, check=True)
    return str(done.stdout)


def test_no_comment_secret_or_url_is_logged(team: Team) -> None:
    log = team.afterword.log
    assert "action.done" in log
    for hidden in (COMMENT, "jeg ventede", SECRET, SECRET.removeprefix("whsec_"), team.receiver.url, "reviews.example"):
        assert hidden not in log
