"""The comment is passed on only with `comment = true`, and kept only while needed."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from service.delivery.note import AnswerNote
from service.surveys.ports import Deadline, FollowUpContext
from tests.harness import AT_ONCE, CSAT, QUICK
from tests.journeys.action_story import LOW, ActionStory


def test_alert_mentions_the_comment_without_quoting_it(action_story: ActionStory) -> None:
    survey_id = action_story.answered(comment="My secret is 4711")
    action_story.follow(survey_id)
    (alert,) = action_story.receiver.of("/slack")
    shown = json.dumps(alert.body) + action_story.dixa.notes(int(survey_id))[0].message
    assert "4711" not in shown
    assert shown.count("There is a comment") == 2


@pytest.mark.parametrize("comment", ["My secret is 4711", ""])
def test_webhook_always_contains_the_comment(action_story: ActionStory, comment: str) -> None:
    survey_id = action_story.answered(comment=comment)
    action_story.follow(survey_id)
    data = action_story.receiver.of("/answer")[0].body["data"]
    assert (data["comment"], data["has_comment"]) == (comment or None, bool(comment))


def test_comment_is_quoted_with_comment_true(action_story: ActionStory) -> None:
    shown = "<!channel> a & b @here [words](https://evil.example)"
    terms = replace(AT_ONCE, on_answer=(replace(LOW, comment=True),))
    survey_id = action_story.answered(comment=shown, terms=terms)
    action_story.follow(survey_id)
    (alert,) = action_story.receiver.of("/slack")
    assert "&lt;!channel&gt; a &amp; b @\u200bhere [words]\u200b(https://evil.example)" in alert.body["text"]
    assert action_story.receiver.of("/answer")[0].body["data"]["comment"] == shown
    assert shown in action_story.dixa.notes(int(survey_id))[0].message


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\v", "\f", "\x85", "\u2028", "\u2029"])
def test_line_breaks_in_a_comment_forge_no_line_of_the_alert(action_story: ActionStory, end: str) -> None:
    forged = "conversation 7, survey vip, agent 9"
    terms = replace(AT_ONCE, on_answer=(replace(LOW, comment=True),))
    survey_id = action_story.answered(
        comment=f"Slow{end}{forged}{end}> me\u202e\u2067\x1b[2K\x07 \U0001f469\u200d\U0001f680", terms=terms
    )
    action_story.follow(survey_id)
    shown = ["> Slow", f"> {forged}", "> > me[2K \U0001f469\u200d\U0001f680"]
    note = action_story.dixa.notes(int(survey_id))[0].message
    assert note.splitlines()[2:-1] == shown
    assert note.splitlines()[-1] == f"[afterword-{survey_id}-answer]"
    text = action_story.receiver.of("/slack")[0].body["text"]
    assert text.splitlines()[1].startswith(f"conversation {survey_id}, ")
    assert text.splitlines()[3:] == [*shown[:2], shown[2].replace("> > ", "> &gt; ").replace("]", "]\u200b")]


@pytest.mark.parametrize("unit", ["&", "<", ">", "a&", "aa&", "aaa&", "@", "]", "&\n"])
def test_long_comment_is_cut_to_the_limit_of_slack(action_story: ActionStory, unit: str) -> None:
    terms = replace(AT_ONCE, on_answer=(replace(LOW, comment=True),))
    survey_id = action_story.answered(comment=f"Slow {unit * 4000}"[:4000], terms=terms)
    action_story.follow(survey_id)
    text = action_story.receiver.of("/slack")[0].body["text"]
    assert 3900 < len(text) <= 4000
    assert text.endswith("…\nThe comment is longer: see the rating in Dixa.")
    assert "&" not in text.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")
    assert f"\nconversation {survey_id}, " in text


@pytest.mark.parametrize("writes", ["{}", "See {}", "{} or so", "> {}\n[afterword-7-answer]"])
def test_reference_in_a_foreign_note_is_ignored(action_story: ActionStory, writes: str) -> None:
    survey_id = action_story.answered()
    text = writes.format(f"[afterword-{survey_id}-answer]") + ("\nbye" if writes == "{}" else "")
    calls = action_story.calls
    deadline = Deadline(timedelta(seconds=5))
    calls.add_note(calls.take_slot(deadline, timedelta(seconds=1)), int(survey_id), text)
    context = FollowUpContext(action_story.story.load(survey_id))
    AnswerNote(calls).act(context, deadline, is_retry=True)
    AnswerNote(calls).act(context, deadline, is_retry=True)
    assert action_story.counts(survey_id)["note"] == 1


def test_comment_is_kept_until_the_follow_up_ends(action_story: ActionStory) -> None:
    survey_id = action_story.answered(comment="Too slow")
    assert action_story.fields(survey_id)["comment"] == "Too slow"
    action_story.follow(survey_id)
    assert "comment" not in action_story.fields(survey_id)


def test_comment_is_kept_while_its_result_is_submitted(action_story: ActionStory) -> None:
    survey_id = action_story.ask()
    action_story.story.answer(survey_id, {CSAT: 1}, "Too slow")
    action_story.put(survey_id, answer_state="submitting")
    action_story.follow(survey_id)
    assert action_story.fields(survey_id)["comment"] == "Too slow"
    action_story.story.submit(survey_id)
    assert "comment" not in action_story.fields(survey_id)


@pytest.mark.parametrize("is_submitted_first", [True, False])
def test_retry_of_a_failed_action_contains_the_comment(action_story: ActionStory, is_submitted_first: bool) -> None:  # noqa: FBT001
    survey_id = action_story.ask()
    action_story.story.answer(survey_id, {CSAT: 1}, "Too slow")
    action_story.receiver.next["/answer"] = [400]
    if is_submitted_first:
        action_story.story.submit(survey_id)
    else:
        action_story.put(survey_id, answer_state="submitting")
    action_story.follow(survey_id)
    action_story.story.submit(survey_id)
    assert "comment" not in action_story.fields(survey_id)
    assert 0 < action_story.kept_comment_ttl_ms(survey_id) <= QUICK.comment_retention // timedelta(milliseconds=1)
    action_story.retry(survey_id)
    (taken,) = action_story.receiver.taken("/answer")
    assert taken.body["data"]["comment"] == "Too slow"
    assert "comment" not in action_story.fields(survey_id)
    assert action_story.kept_comment_ttl_ms(survey_id) < 0


def test_late_retry_only_mentions_the_comment(action_story: ActionStory) -> None:
    action_story.receiver.next["/answer"] = [400]
    survey_id = action_story.answered(comment="Too slow")
    action_story.follow(survey_id)
    action_story.delete_kept_comment(survey_id)
    action_story.retry(survey_id)
    (taken,) = action_story.receiver.taken("/answer")
    assert (taken.body["data"]["comment"], taken.body["data"]["has_comment"]) == (None, True)


def test_erased_comment_is_not_kept_for_a_retry(action_story: ActionStory) -> None:
    action_story.receiver.next["/answer"] = [400]
    survey_id = action_story.answered(comment="Too slow")
    action_story.story.records.erase(action_story.follow(survey_id))
    assert action_story.kept_comment_ttl_ms(survey_id) < 0


def test_comment_without_a_follow_up_is_deleted_after_the_submit(action_story: ActionStory) -> None:
    survey_id = action_story.answered(comment="Too slow", terms=AT_ONCE)
    assert "comment" not in action_story.fields(survey_id)
    assert action_story.story.load(survey_id).follow_up is None


@pytest.mark.parametrize("last", ["answer", "follow_up"])
def test_record_expires_only_after_the_result_and_the_follow_up(action_story: ActionStory, last: str) -> None:
    survey_id = action_story.ask()
    key = f"{action_story._prefix}survey:{survey_id}"
    action_story.story.answer(survey_id, {CSAT: 1})
    if last == "follow_up":
        action_story.story.submit(survey_id)
    else:
        action_story.put(survey_id, answer_state="submitting")
        action_story.follow(survey_id)
    assert action_story._client.ttl(key) == -1
    if last == "follow_up":
        action_story.follow(survey_id)
    else:
        action_story.story.submit(survey_id)
    assert action_story._client.ttl(key) > 0
