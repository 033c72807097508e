"""The row of a survey, made from its real record at each stage."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from service.archive.row import make_row
from service.archive.schema import SURVEY, Stage
from service.surveys.definition import Survey
from service.surveys.match import Match
from service.surveys.retention import ArchiveRetention
from tests.harness import AT_ONCE, CSAT, NPS, THUMBS, Story
from tests.moments import moment

DAY = timedelta(days=1)
WITH_COMMENTS = ArchiveRetention(1000 * DAY, 300 * DAY, 90 * DAY)
WITHOUT_COMMENTS = ArchiveRetention(1000 * DAY, 300 * DAY)


def named(name: str, match: Match) -> Survey:
    return replace(AT_ONCE, name=name, match=match)


def row_of(story: Story, survey_id: str, retention: ArchiveRetention = WITH_COMMENTS, **later: Any) -> dict[str, Any]:
    return make_row(story.load(survey_id), 1, retention, moment() + timedelta(**later))


def happened(row: dict[str, Any]) -> set[str]:
    return {name.removesuffix("_at") for name, value in row.items() if name.endswith("_at") and value is not None}


def test_row_has_each_column_and_no_other(story: Story) -> None:
    assert set(row_of(story, story.begin())) == {column.name for column in SURVEY.columns}


def test_times_follow_the_survey(story: Story) -> None:
    survey_id = story.begin()
    row = row_of(story, survey_id)
    assert (row["state"], happened(row)) == (Stage.WAITING, {"closed"})
    story.ask(survey_id)
    row = row_of(story, survey_id)
    assert (row["state"], row["delivered_by"]) == (Stage.DELIVERED, "message")
    assert happened(row) == {"closed", "decided", "asked", "delivered", "final"}
    assert row["final_at"] - row["delivered_at"] == AT_ONCE.expires
    story.answer(survey_id, {CSAT: 2}, "Too slow")
    row = row_of(story, survey_id)
    assert (row["state"], row["csat"], row["has_comment"], row["comment"]) == (Stage.ANSWERED, 2, True, "Too slow")
    story.submit(survey_id)
    row = row_of(story, survey_id)
    assert row["state"] == Stage.SUBMITTED
    assert happened(row) == {"closed", "decided", "asked", "delivered", "final", "answered", "submitted"}
    assert row["seconds_to_dixa"] == int((row["submitted_at"] - row["answered_at"]).total_seconds())


def test_scores_have_a_column_each(story: Story) -> None:
    survey_id = story.begin()
    story.ask(survey_id)
    story.answer(survey_id, {CSAT: 5, NPS: 0, THUMBS: 1})
    row = row_of(story, survey_id)
    assert (row["csat"], row["nps"], row["thumbs"]) == (5, 0, 1)


def test_skipped_survey_has_its_reason_and_rule(story: Story) -> None:
    phone_only = Match(channels=("PSTN_PHONE",))
    number = story.dixa.make_conversation()
    survey_id = story.close(number, named("phone", phone_only))
    row = row_of(story, survey_id)
    assert (row["state"], row["survey"], row["reason"], row["rule"]) == (Stage.SKIPPED, "phone", "channel", "channels")
    assert row["mismatches"] == [["phone", "channel", "channels"]]
    assert happened(row) == {"closed"}


def test_of_several_surveys_the_nearest_counts(story: Story) -> None:
    far = named("phone", Match(channels=("PSTN_PHONE",)))
    near = named("few", Match(sample=0.0))
    nearer_first = (far, near, named("fewer", Match(sample=0.0)))
    row = row_of(story, story.close(story.dixa.make_conversation(), *nearer_first))
    assert (row["survey"], row["reason"], row["rule"]) == ("few", "not_sampled", "sample")
    assert [each[0] for each in row["mismatches"]] == ["phone", "few", "fewer"]


def test_internal_conversation_belongs_to_no_survey(story: Story) -> None:
    row = row_of(story, story.close(story.dixa.make_conversation(), AT_ONCE, direction="Internal"))
    assert (row["survey"], row["reason"], row["rule"]) == ("", "internal", None)


def test_failed_offer_and_failed_answer_are_told_apart(story: Story) -> None:
    offer, answer = story.begin(), story.begin()
    story.dixa.fails(1, 404, call="conversation")
    story.ask(offer)
    story.ask(answer)
    story.answer(answer, {CSAT: 4})
    story.dixa.fails(1, 404, call="submit")
    story.submit(answer)
    rows = [row_of(story, each) for each in (offer, answer)]
    assert [(each["state"], each["failure"]) for each in rows] == [(Stage.FAILED, "offer"), (Stage.FAILED, "answer")]
    assert [each["asked_at"] is None for each in rows] == [True, False]


def test_erased_survey_keeps_no_answer(story: Story) -> None:
    survey_id = story.begin()
    story.complete(survey_id, {CSAT: 1}, "Too slow")
    story.records.erase(story.load(survey_id))
    row = row_of(story, survey_id)
    assert (row["state"], row["reason"]) == (Stage.CANCELLED, "erased")
    said = ("csat", "nps", "thumbs", "comment", "comment_sha1", "tags", "language", "mismatches")
    assert {row[name] for name in said} == {None}
    assert {"asked", "delivered", "answered"} < happened(row)


def test_comment_is_kept_only_if_wanted(story: Story) -> None:
    survey_id = story.begin()
    story.ask(survey_id)
    story.answer(survey_id, {CSAT: 2}, "Too slow")
    row = row_of(story, survey_id, WITHOUT_COMMENTS)
    assert (row["comment"], row["comment_sha1"], row["has_comment"]) == (None, None, True)


@pytest.mark.parametrize(("days", "kept"), [(89, True), (91, False)])
def test_comment_is_not_written_after_its_time(story: Story, days: int, *, kept: bool) -> None:
    survey_id = story.begin()
    story.ask(survey_id)
    story.answer(survey_id, {CSAT: 2}, "Too slow")
    assert bool(row_of(story, survey_id, days=days)["comment"]) == kept


@pytest.mark.parametrize(("days", "kept"), [(299, True), (301, False)])
def test_agent_is_not_written_after_its_time(story: Story, days: int, *, kept: bool) -> None:
    assert bool(row_of(story, story.begin(), days=days)["agent_id"]) == kept


def test_row_names_no_customer(story: Story) -> None:
    survey_id = story.begin()
    story.complete(survey_id, {CSAT: 1})
    requester = story.dixa.conversation(int(survey_id)).requester
    text = str(row_of(story, survey_id))
    assert requester.id not in text
    assert not requester.email or requester.email not in text
