"""Surveys in real processes: a closed conversation becomes a rating in Dixa, compared field by field."""

import re
from datetime import datetime, timedelta

import pytest
import redis
import requests

from service.sandbox.dixa.model import Person, now
from service.surveys.model import Record
from service.surveys.ratings import RatingType
from service.surveys.states import AnswerState, OfferState
from tests.integration.conftest import NewSurvey
from tests.integration.live_survey import LiveSurvey
from tests.processes import Afterword

CHANNELS = {
    "Email": "Html",
    "WidgetChat": "Text",
    "WhatsApp": "Markdown",
    "Sms": "Text",
    "ContactForm": "Html",
    "Messenger": "Text",
}
QUEUES = {"Csat": "Support", "Nps": "Nps", "ThumbsUpOrDown": "ThumbsUpOrDown"}
SCORES = {"Csat": (1, 4, 5), "Nps": (0, 7, 10), "ThumbsUpOrDown": (0, 1)}
TYPED = "Hurtig hjælp 🙂\r\n\r\nTak – “Ærligt talt”!\r\n"
KEPT = "Hurtig hjælp 🙂\n\nTak – “Ærligt talt”!\n"


def is_just_now(moment: datetime, since: datetime) -> bool:
    """Return whether a time is within this test. Dixa's times are in milliseconds."""
    return since - timedelta(milliseconds=1) <= moment <= now()


def assert_offered(story: LiveSurvey, kind: str, requester: Person, agent: Person, since: datetime) -> None:
    (offer,) = story.offers
    assert (offer.type, offer.user_id, offer.agent_id) == (kind, requester.id, agent.id)
    assert is_just_now(offer.offered_at, since)
    (message,) = story.sent
    assert (message.external_id, message.author_id) == (f"afterword-{story.id}", agent.id)
    assert message.format == CHANNELS[story.conversation.channel]
    assert message.value.count(story.link()) == 1
    link = story.read_link()
    assert (link.conversation_id, link.survey_id) == (story.id, str(story.id))
    assert [(each.rating, each.rating_id) for each in link.offers] == [(kind, offer.id)]


def assert_finished(record: Record, kind: str, score: int) -> None:
    assert record.offer.state is OfferState.DELIVERED
    assert (record.offer.channel, record.offer.due_at, record.offer.call) == ("message", None, None)
    assert [each.rating for each in record.offers] == [kind]
    answer = record.answer
    assert answer
    assert (answer.state, answer.answer.scores) == (AnswerState.SUBMITTED, {RatingType(kind): score})
    assert (answer.submitted, answer.due_at, answer.call) == ((kind,), None, None)
    assert answer.has_comment
    assert not answer.answer.comment, "the record has the comment although Dixa has it"


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("kind", QUEUES)
def test_a_closed_conversation_becomes_a_rating(new_survey: NewSurvey, kind: str, channel: str) -> None:
    since = now()
    requester = Person("Ida Holm", f"ida+{kind}+{channel}@example.com")
    agent = Person("Mads Lund", "mads@example.com")
    score = SCORES[kind][len(channel) % len(SCORES[kind])]
    story = new_survey(channel=channel, language="da", queue=QUEUES[kind], requester=requester, agent=agent)
    story.close().link()
    assert_offered(story, kind, requester, agent, since)
    assert story.results == []

    sent = story.answer(rating=str(score), comment=TYPED)
    assert [each.status_code for each in sent.history] == [303]
    assert sent.status_code == 200
    assert "Tak for din feedback" in sent.text or "Thank you" in sent.text

    assert_finished(story.submitted(), kind, score)
    (result,) = story.results
    assert (result.rating_id, result.type, result.value) == (story.offers[0].id, kind, score)
    assert result.comment == KEPT
    assert is_just_now(result.submitted_at, since)
    assert result.submitted_at <= result.received_at


def test_three_questions_make_three_results_and_one_comment(new_survey: NewSurvey) -> None:
    story = new_survey(queue="Three").close()
    story.link()
    assert sorted(each.type for each in story.offers) == ["Csat", "Nps", "ThumbsUpOrDown"]
    story.answer(rating="9", rating_csat="2", rating_thumbs="0", comment="Tak")
    story.submitted()
    assert sorted((each.type, each.value) for each in story.results) == [("Csat", 2), ("Nps", 9), ("ThumbsUpOrDown", 0)]
    assert sorted(each.comment or "" for each in story.results) == ["", "", "Tak"]


def test_rating_is_for_the_assignee_at_the_close(new_survey: NewSurvey, afterword: Afterword) -> None:
    first, second = Person("Mads Lund"), Person("Eva Krogh")
    with afterword.frozen("worker"):
        story = new_survey(agent=first).close()
        story.conversation.agent = second
    story.link()
    assert story.offers[0].agent_id == first.id
    assert story.sent[0].author_id == first.id


def test_survey_is_sent_after_its_delay(new_survey: NewSurvey) -> None:
    story = new_survey(queue="Later").close()
    closed_at = story.conversation.state_updated_at
    story.link()
    assert story.offers[0].created_at - closed_at >= timedelta(seconds=1.5)


def test_edited_answer_is_submitted_once(new_survey: NewSurvey) -> None:
    story = new_survey(queue="Editable").close()
    story.answer(rating="2", comment="first")
    form = requests.get(f"{story.link()}?change=1", timeout=30)
    assert re.search(r"value=2\b[^>]* checked", form.text)
    assert story.answer(rating="5", comment="second").history[0].status_code == 303
    assert story.answer(rating="5", comment="last").history[0].status_code == 303
    assert story.results == []
    story.end_editing()
    story.submitted()
    assert [(each.value, each.comment) for each in story.results] == [(5, "last")]
    assert story.dixa.report.double_submits == []


def test_answer_is_submitted_after_its_editing_period(new_survey: NewSurvey) -> None:
    story = new_survey(queue="Briefly editable").close()
    story.answer(rating="2")
    story.submitted()
    (result,) = story.results
    assert result.received_at - result.submitted_at >= timedelta(seconds=1.5)


def test_later_comment_is_submitted_with_the_rating(new_survey: NewSurvey) -> None:
    story = new_survey(queue="Editable").close()
    thanks = story.answer(rating="3").text
    assert "Add comment" in thanks
    kept = dict(re.findall(r'<input type="hidden" name="(\w+)" value="(\w+)"', thanks))
    assert kept == {"rating": "3"}
    assert "Your comment is saved too" in story.answer(**kept, comment="Ventede længe").text
    story.end_editing()
    story.submitted()
    assert [(each.value, each.comment) for each in story.results] == [(3, "Ventede længe")]


def test_different_answer_is_refused_after_the_submission(new_survey: NewSurvey) -> None:
    story = new_survey().close()
    story.answer(rating="4", comment="Fint")
    story.submitted()
    different = story.answer(rating="1", comment="Fint")
    assert (different.status_code, different.history) == (200, [])
    assert "Your new choice came too late and is not saved." in different.text
    same = story.answer(rating="4", comment="Fint")
    assert [each.status_code for each in same.history] == [303]
    assert "Your answer “Satisfied” is recorded" in same.text
    assert [(each.value, each.comment) for each in story.results] == [(4, "Fint")]
    assert story.dixa.report.double_submits == []


def test_link_is_sufficient_for_an_answer_after_a_loss_of_redis(afterword: Afterword, new_survey: NewSurvey) -> None:
    story = new_survey(queue="Nps").close()
    link = story.link()
    flush_redis(afterword)
    page = requests.get(link, timeout=30)
    assert page.status_code == 200
    assert "How likely are you to recommend" in page.text
    assert requests.post(link, data={"rating": "9", "comment": "Stadig her"}, timeout=30).status_code == 200
    story.submitted()
    assert [(each.value, each.comment) for each in story.results] == [(9, "Stadig her")]
    # The next closed conversation is surveyed.
    new_survey().close().link()


def flush_redis(afterword: Afterword) -> None:
    client = redis.Redis.from_url(afterword.redis_url)
    client.flushdb()
    client.close()
