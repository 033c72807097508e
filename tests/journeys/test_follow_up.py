"""Each action after an answer runs once, or at most once, and delays no result."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any

import pytest
import redis

from config.endpoints import SignedEndpoint
from config.settings import Timings
from service.delivery.note import AnswerNote
from service.delivery.slack import SlackAlert
from service.delivery.tag import AnswerTag
from service.delivery.webhook import AnswerWebhook
from service.journeys.follow_up import IN_THE_ALERT, OUTCOME_UNKNOWN, TOO_LONG, PlannedAction, plan_actions
from service.sandbox.server import Sandbox
from service.surveys.definition import Survey
from service.surveys.model import ActionProgress, Record
from service.surveys.on_answer import OnAnswer
from service.surveys.ports import Action, Deadline, FollowUpContext
from service.surveys.ratings import RatingType
from service.surveys.reasons import Reason
from service.surveys.states import ActionState, AnswerState, FollowUpState, Journey
from tests.harness import AT_ONCE, CSAT, NPS, QUICK, Story, open_client
from tests.polling import eventually
from tests.receiver import DROP, SECRET, Receiver, receiving

LOW = OnAnswer((1, 2), CSAT, note=True, tag="angry", slack=True, webhook=True)
TERMS = replace(AT_ONCE, on_answer=(LOW,))
HELD = replace(TERMS, editable_for=timedelta(days=1))
TIMINGS = replace(QUICK, step_budget=timedelta(seconds=2), lease=timedelta(seconds=4))
ALL = {"note", "slack", "tag:angry", "webhook"}


class Team:
    """A story with actions, and their receivers."""

    def __init__(self, client: redis.Redis, prefix: str, dixa: Sandbox, receiver: Receiver) -> None:
        calls = open_client(dixa, client, prefix)
        actions: list[Action] = [
            AnswerNote(calls),
            AnswerTag(calls),
            SlackAlert(f"{receiver.url}/slack"),
            AnswerWebhook(SignedEndpoint(f"{receiver.url}/answer", SECRET)),
        ]
        self.story = Story(client, prefix, dixa, timings=TIMINGS, actions=actions)
        self.calls = calls
        self.dixa = dixa
        self.receiver = receiver
        self._client = client
        self._prefix = prefix
        dixa.state.tag("angry")

    def ask(self, terms: Survey = TERMS) -> str:
        survey_id = self.story.begin(terms)
        self.story.ask(survey_id)
        return survey_id

    def answered(self, score: int = 1, comment: str = "", terms: Survey = TERMS) -> str:
        """Ask, answer and bring the result to Dixa."""
        survey_id = self.ask(terms)
        self.story.answer(survey_id, {CSAT: score}, comment)
        self.story.submit(survey_id)
        return survey_id

    def follow(self, survey_id: str) -> Record:
        return self.story.follow(survey_id)

    def turn(self, survey_id: str) -> Record:
        """One claim of a worker, to its end."""
        self.story.following.run(survey_id)
        return self.story.load(survey_id)

    def put(self, survey_id: str, **fields: str) -> None:
        for name, value in fields.items():
            self._client.hset(f"{self._prefix}survey:{survey_id}", name, value)

    def fields(self, survey_id: str) -> dict[str, str]:
        return self._client.hgetall(f"{self._prefix}survey:{survey_id}")  # type: ignore[return-value]

    def comment_lasts_ms(self, survey_id: str) -> int:
        """How long a comment is kept for a retry yet; less than nothing if it isn't."""
        return self._client.pttl(f"{self._prefix}retry:{survey_id}:comment")

    def forget_comment(self, survey_id: str) -> None:
        """Let its time be over."""
        assert self._client.delete(f"{self._prefix}retry:{survey_id}:comment")

    def counts(self, survey_id: str) -> dict[str, int]:
        """How often each thing has happened."""
        number = int(survey_id)
        return {
            "note": sum("answered the survey" in each.message for each in self.dixa.notes(number)),
            "slack": len(self.receiver.taken("/slack")),
            "tag:angry": [tag.name for tag in self.dixa.conversation(number).tags].count("angry"),
            "webhook": len({post.id for post in self.receiver.taken("/answer")}),
        }


@pytest.fixture
def team(redis_client: redis.Redis, prefix: str, dixa: Sandbox) -> Iterator[Team]:
    with receiving() as receiver:
        yield Team(redis_client, prefix, dixa, receiver)


def states(record: Record) -> dict[str, ActionState]:
    assert record.follow_up
    return {name: each.state for name, each in record.follow_up.actions.items()}


def test_all_of_it_happens_once(team: Team) -> None:
    survey_id = team.answered(comment="Too slow")
    record = team.follow(survey_id)
    assert team.counts(survey_id) == dict.fromkeys(ALL, 1)
    assert states(record) == dict.fromkeys(ALL, ActionState.DONE)
    assert record.follow_up
    assert record.follow_up.state is FollowUpState.FOLLOWED
    assert len(team.receiver.posts) == 2


@pytest.mark.parametrize(
    ("call", "path"), [("note", None), ("tag", None), ("tags", None), (None, "/slack"), (None, "/answer")]
)
def test_what_fails_first_happens_later_and_once(team: Team, call: str | None, path: str | None) -> None:
    survey_id = team.answered()
    if call:
        team.dixa.fails(2, 503, call=call)
    if path:
        team.receiver.next[path] = [503, 429]
    record = team.follow(survey_id)
    assert team.counts(survey_id) == dict.fromkeys(ALL, 1)
    assert set(states(record).values()) == {ActionState.DONE}


@pytest.mark.parametrize("loses", [Sandbox.executes_then_drops, Sandbox.executes_then_fails, Sandbox.drops_before])
@pytest.mark.parametrize("call", ["note", "tag"])
def test_a_lost_answer_of_dixas_doubles_nothing(team: Team, loses: Any, call: str) -> None:
    survey_id = team.answered()
    loses(team.dixa, 1, call=call)
    team.follow(survey_id)
    assert team.counts(survey_id) == dict.fromkeys(ALL, 1)


@pytest.mark.parametrize("status", [DROP, 500])
def test_alert_with_lost_response_is_not_repeated(team: Team, status: int) -> None:
    survey_id = team.answered()
    team.receiver.next["/slack"] = [status]
    record = team.follow(survey_id)
    assert len(team.receiver.of("/slack")) == 1
    assert record.follow_up
    assert record.follow_up.actions["slack"].problem == OUTCOME_UNKNOWN


@pytest.mark.parametrize("status", [DROP, 500, 302])
def test_a_webhook_is_repeated_with_the_same_id(team: Team, status: int) -> None:
    survey_id = team.answered()
    team.receiver.next["/answer"] = [status]
    team.follow(survey_id)
    assert [post.id for post in team.receiver.posts if post.path != "/slack"] == [f"afterword-{survey_id}-answered"] * 2


@pytest.mark.parametrize("name", sorted(ALL))
def test_crash_between_begin_and_done_doubles_nothing(team: Team, name: str) -> None:
    """The begun action was executed."""
    survey_id = team.answered()
    claim = team.story.records.claim(Journey.FOLLOW_UP, survey_id)
    assert claim
    planned = next(each for each in plan_actions(TERMS, {CSAT: 1}) if each.name == name)
    assert team.story.records.set_action(claim, name, ActionState.BEGUN)
    team.story.actions[planned.kind].act(_told(claim.record, planned), _deadline(), is_retry=False)
    team.put(survey_id, follow_up_lease="0", follow_up_due="0")
    record = team.follow(survey_id)
    assert team.counts(survey_id) == dict.fromkeys(ALL, 1)
    assert record.follow_up
    assert record.follow_up.actions[name].problem == (OUTCOME_UNKNOWN if name == "slack" else "")


@pytest.mark.parametrize("name", sorted(ALL))
def test_crash_right_after_begin_repeats_the_action(team: Team, name: str) -> None:
    """Only an alert may have been sent by then, so it counts as sent: at most once."""
    survey_id = team.answered()
    claim = team.story.records.claim(Journey.FOLLOW_UP, survey_id)
    assert claim
    assert team.story.records.set_action(claim, name, ActionState.BEGUN)
    team.put(survey_id, follow_up_lease="0", follow_up_due="0")
    team.follow(survey_id)
    assert team.counts(survey_id) == dict.fromkeys(ALL, 1) | ({"slack": 0} if name == "slack" else {})


def _told(record: Record, planned: PlannedAction) -> FollowUpContext:
    return FollowUpContext(record, planned.subject, planned.shows_comment)


def _deadline() -> Deadline:
    return Deadline(timedelta(seconds=5))


class TestTheHold:
    """Everything but an alert waits for it, and then has the final answer."""

    def test_a_low_score_alerts_at_once(self, team: Team) -> None:
        survey_id = team.ask(HELD)
        team.story.answer(survey_id, {CSAT: 1})
        record = team.turn(survey_id)
        assert record.answer
        assert record.answer.state is AnswerState.EDITABLE
        assert states(record) == {"slack": ActionState.DONE}
        assert team.counts(survey_id) == dict.fromkeys(ALL, 0) | {"slack": 1}

    def test_it_is_looked_at_again_when_the_hold_is_over(self, team: Team) -> None:
        survey_id = team.ask(HELD)
        team.story.answer(survey_id, {CSAT: 1})
        record = team.turn(survey_id)
        assert record.follow_up
        assert record.answer
        assert record.follow_up.due_at
        assert record.answer.due_at
        assert abs(record.follow_up.due_at - record.answer.due_at) < timedelta(seconds=5)

    def test_answer_changed_to_bad_alerts_at_once(self, team: Team) -> None:
        survey_id = team.ask(HELD)
        team.story.answer(survey_id, {CSAT: 5})
        assert states(team.turn(survey_id)) == {}
        team.story.answer(survey_id, {CSAT: 2})
        assert states(team.turn(survey_id)) == {"slack": ActionState.DONE}

    def test_answer_changed_during_the_claim_alerts_at_once(self, team: Team) -> None:
        survey_id = team.ask(HELD)
        team.story.answer(survey_id, {CSAT: 5})
        claim = team.story.records.claim(Journey.FOLLOW_UP, survey_id)
        assert claim
        team.story.answer(survey_id, {CSAT: 1})
        team.story.records.reschedule(claim, timedelta(days=1), failed=False)
        assert states(team.turn(survey_id)) == {"slack": ActionState.DONE}

    def test_second_bad_answer_sends_no_second_alert(self, team: Team) -> None:
        survey_id = team.ask(HELD)
        for score in (1, 2, 1):
            team.story.answer(survey_id, {CSAT: score})
            team.turn(survey_id)
        assert len(team.receiver.of("/slack")) == 1

    def test_answer_changed_to_good_sends_only_a_correction(self, team: Team) -> None:
        survey_id = team.ask(HELD)
        team.story.answer(survey_id, {CSAT: 1})
        team.turn(survey_id)
        team.story.answer(survey_id, {CSAT: 5})
        team.put(survey_id, answer_due="0")
        team.story.submit(survey_id)
        team.put(survey_id, follow_up_due="0")
        record = team.follow(survey_id)
        assert team.counts(survey_id) == dict.fromkeys(ALL, 0) | {"slack": 2}
        assert record.follow_up
        assert record.follow_up.state is FollowUpState.FOLLOWED

    def test_what_follows_says_the_last_answer(self, team: Team) -> None:
        survey_id = team.ask(HELD)
        team.story.answer(survey_id, {CSAT: 1})
        team.turn(survey_id)
        team.story.answer(survey_id, {CSAT: 2}, "Late")
        team.put(survey_id, answer_due="0")
        team.story.submit(survey_id)
        team.put(survey_id, follow_up_due="0")
        team.follow(survey_id)
        assert "Dissatisfied (2 of 5)" in team.dixa.notes(int(survey_id))[0].message
        assert team.receiver.of("/answer")[0].body["data"]["scores"] == {"Csat": 2}

    def test_a_failing_alert_keeps_no_result_waiting(self, team: Team) -> None:
        team.receiver.next["/slack"] = [503] * 50
        survey_id = team.ask()
        team.story.answer(survey_id, {CSAT: 1})
        team.turn(survey_id)
        assert team.story.submit(survey_id).answer
        team.story.assert_once(survey_id)


class TestTheEnd:
    """No action is tried forever. A failed one is shown and can be retried."""

    def test_unknown_tag_fails_alone(self, team: Team) -> None:
        terms = replace(AT_ONCE, on_answer=(LOW, OnAnswer((1,), CSAT, tag="no-such-tag")))
        record = team.follow(team.answered(terms=terms))
        assert record.follow_up
        assert record.follow_up.actions["tag:no-such-tag"].problem == "Dixa has no tag of this name"
        assert (record.follow_up.state, record.follow_up.reason) == (FollowUpState.FAILED, Reason.REFUSED)
        assert [each for each, state in states(record).items() if state is ActionState.FAILED] == ["tag:no-such-tag"]
        assert team.counts(record.survey_id) == dict.fromkeys(ALL, 1)

    def test_tags_are_asked_for_once(self, team: Team) -> None:
        for _ in range(3):
            team.follow(team.answered())
        assert [each.call for each in team.dixa.calls].count("tags") == 1

    @pytest.mark.parametrize("status", [400, 413, 422])
    def test_refusing_receiver_is_not_retried(self, team: Team, status: int) -> None:
        team.receiver.next["/answer"] = [status]
        team.receiver.next["/slack"] = [status]
        record = team.follow(team.answered())
        assert len(team.receiver.posts) == 2
        assert record.follow_up
        assert record.follow_up.actions["slack"].problem == f"the receiver returned {status}"
        assert states(record)["note"] is ActionState.DONE

    @pytest.mark.parametrize("status", [401, 403, 404, 407, 410])
    def test_misconfigured_receiver_is_retried(self, team: Team, status: int) -> None:
        team.receiver.next["/answer"] = [status] * 2
        team.receiver.next["/slack"] = [status] * 2
        survey_id = team.answered(comment="Too slow")
        team.follow(survey_id)
        assert team.counts(survey_id) == dict.fromkeys(ALL, 1)
        assert team.receiver.taken("/answer")[0].body["data"]["comment"] == "Too slow"

    def test_what_has_failed_is_tried_again_when_an_operator_says_so(self, team: Team) -> None:
        team.receiver.next["/answer"] = [400]
        survey_id = team.answered()
        team.follow(survey_id)
        assert team.story.records.retry(Journey.FOLLOW_UP, survey_id) == "retried"
        record = team.follow(survey_id)
        assert set(states(record).values()) == {ActionState.DONE}
        assert team.counts(survey_id) == dict.fromkeys(ALL, 1)
        assert len(team.receiver.of("/slack")) == 1

    def test_unavailable_receiver_is_retried_for_a_day(self, team: Team) -> None:
        team.receiver.next["/answer"] = [503] * 50
        survey_id = team.answered()
        assert states(team.turn(survey_id))["webhook"] is ActionState.WAITING
        past = datetime.now(UTC) - timedelta(days=1, hours=1)
        team.put(survey_id, answered_at=str(int(past.timestamp() * 1000)))
        record = team.follow(survey_id)
        assert record.follow_up
        assert record.follow_up.actions["webhook"].problem == TOO_LONG

    def test_begun_alert_never_fails_and_is_never_retried(self, team: Team) -> None:
        """However late it is found."""
        survey_id = team.answered()
        claim = team.story.records.claim(Journey.FOLLOW_UP, survey_id)
        assert claim
        assert team.story.records.set_action(claim, "slack", ActionState.BEGUN)
        past = str(int((datetime.now(UTC) - timedelta(days=2)).timestamp() * 1000))
        team.put(survey_id, follow_up_lease="0", follow_up_due="0", answered_at=past)
        record = team.follow(survey_id)
        assert record.follow_up
        assert record.follow_up.actions["slack"] == ActionProgress(ActionState.DONE, OUTCOME_UNKNOWN)
        assert team.receiver.of("/slack") == []

    def test_a_tag_made_again_under_its_name_is_found_by_a_retry(self, team: Team) -> None:
        team.follow(team.answered())
        del team.dixa.state.tags["angry"]
        tag = team.dixa.state.tag("angry")
        survey_id = team.answered()
        assert states(team.follow(survey_id))["tag:angry"] is ActionState.FAILED
        assert team.story.records.retry(Journey.FOLLOW_UP, survey_id) == "retried"
        team.follow(survey_id)
        assert [each.id for each in team.dixa.conversation(int(survey_id)).tags] == [tag.id]

    def test_what_comes_very_late_is_still_tried_once(self, team: Team) -> None:
        survey_id = team.answered()
        past = datetime.now(UTC) - timedelta(days=40)
        team.put(survey_id, answered_at=str(int(past.timestamp() * 1000)))
        team.follow(survey_id)
        assert team.counts(survey_id) == dict.fromkeys(ALL, 1)

    def test_action_without_configuration_fails(self, team: Team) -> None:
        del team.story.actions["slack"]
        record = team.follow(team.answered())
        assert states(record)["slack"] is ActionState.FAILED
        assert states(record)["note"] is ActionState.DONE

    def test_an_answer_without_actions_ends_too(self, team: Team) -> None:
        record = team.follow(team.answered(score=5))
        assert (record.follow_up and record.follow_up.actions) == {}
        assert team.receiver.posts == []


class TestTheComment:
    """It is passed on only with `comment = true`, and kept only while needed."""

    def test_alert_mentions_the_comment_without_quoting_it(self, team: Team) -> None:
        survey_id = team.answered(comment="My secret is 4711")
        team.follow(survey_id)
        (alert,) = team.receiver.of("/slack")
        said = json.dumps(alert.body) + team.dixa.notes(int(survey_id))[0].message
        assert "4711" not in said
        assert said.count("There is a comment") == 2

    @pytest.mark.parametrize("comment", ["My secret is 4711", ""])
    def test_the_teams_own_receiver_gets_the_whole_answer(self, team: Team, comment: str) -> None:
        survey_id = team.answered(comment=comment)
        team.follow(survey_id)
        data = team.receiver.of("/answer")[0].body["data"]
        assert (data["comment"], data["has_comment"]) == (comment or None, bool(comment))

    def test_comment_is_quoted_with_comment_true(self, team: Team) -> None:
        said = "<!channel> a & b @here [words](https://evil.example)"
        terms = replace(AT_ONCE, on_answer=(replace(LOW, comment=True),))
        survey_id = team.answered(comment=said, terms=terms)
        team.follow(survey_id)
        (alert,) = team.receiver.of("/slack")
        assert "&lt;!channel&gt; a &amp; b @\u200bhere [words]\u200b(https://evil.example)" in alert.body["text"]
        assert team.receiver.of("/answer")[0].body["data"]["comment"] == said
        assert said in team.dixa.notes(int(survey_id))[0].message

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\v", "\f", "\x85", "\u2028", "\u2029"])
    def test_no_line_of_it_passes_for_one_of_ours(self, team: Team, end: str) -> None:
        forged = "conversation 7, survey vip, agent 9"
        terms = replace(AT_ONCE, on_answer=(replace(LOW, comment=True),))
        survey_id = team.answered(
            comment=f"Slow{end}{forged}{end}> me\u202e\u2067\x1b[2K\x07 \U0001f469\u200d\U0001f680", terms=terms
        )
        team.follow(survey_id)
        said = ["> Slow", f"> {forged}", "> > me[2K \U0001f469\u200d\U0001f680"]
        note = team.dixa.notes(int(survey_id))[0].message
        assert note.splitlines()[2:-1] == said
        assert note.splitlines()[-1] == f"[afterword-{survey_id}-answer]"
        text = team.receiver.of("/slack")[0].body["text"]
        assert text.splitlines()[1].startswith(f"conversation {survey_id}, ")
        assert text.splitlines()[3:] == [*said[:2], said[2].replace("> > ", "> &gt; ").replace("]", "]\u200b")]

    @pytest.mark.parametrize("unit", ["&", "<", ">", "a&", "aa&", "aaa&", "@", "]", "&\n"])
    def test_long_comment_is_cut_to_the_limit_of_slack(self, team: Team, unit: str) -> None:
        terms = replace(AT_ONCE, on_answer=(replace(LOW, comment=True),))
        survey_id = team.answered(comment=f"Slow {unit * 4000}"[:4000], terms=terms)
        team.follow(survey_id)
        text = team.receiver.of("/slack")[0].body["text"]
        assert 3900 < len(text) <= 4000
        assert text.endswith("…\nThe comment is longer: see the rating in Dixa.")
        assert "&" not in text.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")
        assert f"\nconversation {survey_id}, " in text

    @pytest.mark.parametrize("writes", ["{}", "See {}", "{} or so", "> {}\n[afterword-7-answer]"])
    def test_reference_in_a_foreign_note_is_ignored(self, team: Team, writes: str) -> None:
        survey_id = team.answered()
        text = writes.format(f"[afterword-{survey_id}-answer]") + ("\nbye" if writes == "{}" else "")
        calls = team.calls
        deadline = Deadline(timedelta(seconds=5))
        calls.add_note(calls.take_slot(deadline, timedelta(seconds=1)), int(survey_id), text)
        told = FollowUpContext(team.story.load(survey_id))
        AnswerNote(calls).act(told, deadline, is_retry=True)
        AnswerNote(calls).act(told, deadline, is_retry=True)
        assert team.counts(survey_id)["note"] == 1

    def test_it_is_kept_until_all_is_over(self, team: Team) -> None:
        survey_id = team.answered(comment="Too slow")
        assert team.fields(survey_id)["comment"] == "Too slow"
        team.follow(survey_id)
        assert "comment" not in team.fields(survey_id)

    def test_it_is_kept_while_its_result_is_on_its_way(self, team: Team) -> None:
        survey_id = team.ask()
        team.story.answer(survey_id, {CSAT: 1}, "Too slow")
        team.put(survey_id, answer_state="submitting")
        team.follow(survey_id)
        assert team.fields(survey_id)["comment"] == "Too slow"
        team.story.submit(survey_id)
        assert "comment" not in team.fields(survey_id)

    @pytest.mark.parametrize("is_submitted_first", [True, False])
    def test_what_has_failed_has_it_when_an_operator_tries_again(self, team: Team, is_submitted_first: bool) -> None:  # noqa: FBT001
        survey_id = team.ask()
        team.story.answer(survey_id, {CSAT: 1}, "Too slow")
        team.receiver.next["/answer"] = [400]
        if is_submitted_first:
            team.story.submit(survey_id)
        else:
            team.put(survey_id, answer_state="submitting")
        team.follow(survey_id)
        team.story.submit(survey_id)
        assert "comment" not in team.fields(survey_id)
        assert 0 < team.comment_lasts_ms(survey_id) <= TIMINGS.offer_max_age // timedelta(milliseconds=1)
        assert team.story.records.retry(Journey.FOLLOW_UP, survey_id) == "retried"
        team.follow(survey_id)
        (taken,) = team.receiver.taken("/answer")
        assert taken.body["data"]["comment"] == "Too slow"
        assert "comment" not in team.fields(survey_id)
        assert team.comment_lasts_ms(survey_id) < 0

    def test_late_retry_only_mentions_the_comment(self, team: Team) -> None:
        team.receiver.next["/answer"] = [400]
        survey_id = team.answered(comment="Too slow")
        team.follow(survey_id)
        team.forget_comment(survey_id)
        assert team.story.records.retry(Journey.FOLLOW_UP, survey_id) == "retried"
        team.follow(survey_id)
        (taken,) = team.receiver.taken("/answer")
        assert (taken.body["data"]["comment"], taken.body["data"]["has_comment"]) == (None, True)

    def test_an_erased_one_is_kept_for_no_retry(self, team: Team) -> None:
        team.receiver.next["/answer"] = [400]
        survey_id = team.answered(comment="Too slow")
        team.story.records.erase(team.follow(survey_id))
        assert team.comment_lasts_ms(survey_id) < 0

    def test_nothing_follows_and_it_is_gone_at_once(self, team: Team) -> None:
        survey_id = team.answered(comment="Too slow", terms=AT_ONCE)
        assert "comment" not in team.fields(survey_id)
        assert team.story.load(survey_id).follow_up is None

    @pytest.mark.parametrize("last", ["answer", "follow_up"])
    def test_the_record_lives_until_both_are_over(self, team: Team, last: str) -> None:
        survey_id = team.ask()
        key = f"{team._prefix}survey:{survey_id}"
        team.story.answer(survey_id, {CSAT: 1})
        if last == "follow_up":
            team.story.submit(survey_id)
        else:
            team.put(survey_id, answer_state="submitting")
            team.follow(survey_id)
        assert team._client.ttl(key) == -1
        if last == "follow_up":
            team.follow(survey_id)
        else:
            team.story.submit(survey_id)
        assert team._client.ttl(key) > 0


class TestALateComment:
    """It comes from the thank-you page, after the alert. A second alert sends it once."""

    TERMS = replace(HELD, on_answer=(replace(LOW, comment=True),))
    ADDED = "slack:comment"

    def alerted(self, team: Team, comment: str = "", terms: Survey = TERMS) -> str:
        """Answer badly; the alert goes out while the answer is held."""
        survey_id = team.ask(terms)
        team.story.answer(survey_id, {CSAT: 1}, comment)
        team.turn(survey_id)
        return survey_id

    def end_hold(self, team: Team, survey_id: str) -> None:
        team.put(survey_id, answer_due="0")
        team.story.submit(survey_id)
        team.put(survey_id, follow_up_due="0")

    def finished(self, team: Team, survey_id: str) -> Record:
        """Let the editable time end, and do the rest."""
        self.end_hold(team, survey_id)
        return team.follow(survey_id)

    def texts(self, team: Team) -> list[str]:
        return [post.body["text"] for post in team.receiver.taken("/slack")]

    def test_it_is_told_once_the_answer_is_final(self, team: Team) -> None:
        survey_id = self.alerted(team)
        team.story.answer(survey_id, {CSAT: 1}, "Too <slow>")
        assert states(team.turn(survey_id)) == {"slack": ActionState.DONE}
        record = self.finished(team, survey_id)
        _, added = self.texts(team)
        assert added.startswith(f"A comment was added.\nconversation {survey_id}, ")
        assert added.endswith("\nComment:\n> Too &lt;slow&gt;")
        assert states(record) == dict.fromkeys(ALL | {self.ADDED}, ActionState.DONE)

    def test_one_that_the_alert_had_is_not_told_again(self, team: Team) -> None:
        record = self.finished(team, self.alerted(team, "Too slow"))
        (alert,) = self.texts(team)
        assert "Comment:\n> Too slow" in alert
        assert record.follow_up
        assert record.follow_up.actions[self.ADDED].problem == IN_THE_ALERT

    def test_late_alert_contains_the_comment(self, team: Team) -> None:
        team.receiver.next["/slack"] = [503]
        survey_id = self.alerted(team)
        assert states(team.story.load(survey_id)) == {"slack": ActionState.WAITING}
        team.story.answer(survey_id, {CSAT: 1}, "Too slow")
        self.finished(team, survey_id)
        assert ["Too slow" in text for text in self.texts(team)] == [True]

    @pytest.mark.parametrize("status", [DROP, 500])
    def test_it_is_not_repeated_when_its_answer_is_lost(self, team: Team, status: int) -> None:
        survey_id = self.alerted(team)
        team.story.answer(survey_id, {CSAT: 1}, "Too slow")
        team.receiver.next["/slack"] = [status]
        record = self.finished(team, survey_id)
        assert len(team.receiver.of("/slack")) == 2
        assert record.follow_up
        assert record.follow_up.actions[self.ADDED].problem == OUTCOME_UNKNOWN

    def test_it_is_told_later_when_the_receiver_is_away(self, team: Team) -> None:
        survey_id = self.alerted(team)
        team.story.answer(survey_id, {CSAT: 1}, "Too slow")
        team.receiver.next["/slack"] = [503, 429]
        self.finished(team, survey_id)
        assert ["Too slow" in text for text in self.texts(team)] == [False, True]

    def test_crash_after_begin_loses_the_comment_alert(self, team: Team) -> None:
        survey_id = self.alerted(team)
        team.story.answer(survey_id, {CSAT: 1}, "Too slow")
        self.end_hold(team, survey_id)
        claim = team.story.records.claim(Journey.FOLLOW_UP, survey_id)
        assert claim
        assert team.story.records.set_action(claim, self.ADDED, ActionState.BEGUN)
        team.put(survey_id, follow_up_lease="0", follow_up_due="0")
        record = team.follow(survey_id)
        assert len(self.texts(team)) == 1
        assert record.follow_up
        assert record.follow_up.actions[self.ADDED].problem == OUTCOME_UNKNOWN

    @pytest.mark.parametrize("case", ["not allowed", "no comment", "a good answer now"])
    def test_nothing_is_told(self, team: Team, case: str) -> None:
        survey_id = self.alerted(team, terms=HELD if case == "not allowed" else self.TERMS)
        score, comment = (5 if case == "a good answer now" else 1), ("" if case == "no comment" else "Too slow")
        team.story.answer(survey_id, {CSAT: score}, comment)
        record = self.finished(team, survey_id)
        assert "Too slow" not in "".join(self.texts(team))
        assert self.ADDED not in states(record)

    @pytest.mark.parametrize("is_kept", [True, False])
    def test_retry_of_a_refused_comment_alert_contains_it(self, team: Team, is_kept: bool) -> None:  # noqa: FBT001
        """If it isn't kept any more, it is in Dixa."""
        survey_id = self.alerted(team)
        team.story.answer(survey_id, {CSAT: 1}, "Too slow")
        team.receiver.next["/slack"] = [400]
        assert states(self.finished(team, survey_id))[self.ADDED] is ActionState.FAILED
        if not is_kept:
            team.forget_comment(survey_id)
        assert team.story.records.retry(Journey.FOLLOW_UP, survey_id) == "retried"
        team.follow(survey_id)
        _, added = self.texts(team)
        assert added.startswith(
            "A comment was added.\n" if is_kept else "A comment was added: see the rating in Dixa.\n"
        )
        assert ("Too slow" in added) is is_kept

    def test_retry_of_a_refused_alert_contains_the_comment(self, team: Team) -> None:
        team.receiver.next["/slack"] = [400]
        survey_id = self.alerted(team)
        team.story.answer(survey_id, {CSAT: 1}, "Too slow")
        self.finished(team, survey_id)
        assert self.texts(team) == []
        assert team.story.records.retry(Journey.FOLLOW_UP, survey_id) == "retried"
        team.follow(survey_id)
        (alert,) = self.texts(team)
        assert "Very dissatisfied" in alert
        assert "Too slow" in alert


class TestWhatIsWanted:
    """Which actions an answer calls for."""

    def find(self, scores: dict[RatingType, int], *after: OnAnswer) -> list[str]:
        return [each.name for each in plan_actions(replace(AT_ONCE, ratings=(CSAT, NPS), on_answer=after), scores)]

    def test_each_once(self) -> None:
        twice = OnAnswer((1,), CSAT, slack=True, tag="angry"), OnAnswer((0, 1), NPS, slack=True, tag="sad")
        assert self.find({CSAT: 1, NPS: 1}, *twice) == ["slack", "tag:angry", "tag:sad"]
        assert self.find({NPS: 0}, *twice) == ["slack", "tag:sad"]
        assert self.find({CSAT: 5, NPS: 9}, *twice) == []

    def test_a_comment_is_told_if_one_of_them_allows_it(self) -> None:
        after = OnAnswer((1,), CSAT, note=True), OnAnswer((1, 2), CSAT, note=True, comment=True, slack=True)
        found = {each.name: each.shows_comment for each in plan_actions(replace(AT_ONCE, on_answer=after), {CSAT: 1})}
        assert found == {"slack": True, "note": True}

    def test_a_webhook_is_told_the_comment_always(self) -> None:
        after = OnAnswer((1,), CSAT, webhook=True, slack=True)
        found = {
            each.name: each.shows_comment for each in plan_actions(replace(AT_ONCE, on_answer=(after,)), {CSAT: 1})
        }
        assert found == {"slack": False, "webhook": True}


def test_a_slow_receiver_keeps_few_threads_busy(redis_client: redis.Redis, prefix: str, team: Team) -> None:
    """The others have results to bring to Dixa."""
    actions = [SlackAlert(f"{team.receiver.url}/slack")]
    patient = Story(redis_client, prefix, team.dixa, timings=Timings(), actions=actions)
    terms = replace(AT_ONCE, on_answer=(OnAnswer((1,), CSAT, slack=True),))
    ids = [team.answered(terms=terms) for _ in range(4)]
    team.receiver.held.clear()
    threads = [Thread(target=patient.following.run, args=(survey_id,)) for survey_id in ids]
    for thread in threads:
        thread.start()
    eventually(lambda: sum(not thread.is_alive() for thread in threads) == 2)
    eventually(lambda: len(team.receiver.of("/slack")) == 2)
    team.receiver.held.set()
    for thread in threads:
        thread.join()
    waiting = [state for survey_id in ids for state in states(team.story.load(survey_id)).values()]
    assert sorted(waiting) == [ActionState.DONE] * 2 + [ActionState.WAITING] * 2
