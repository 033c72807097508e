"""The view "Story" tells of a conversation what `afterword why` tells."""

import html
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import redis
from flask.testing import FlaskClient

from service.records.opt_outs import HashedOptOuts
from service.rules.timeline import describe
from service.surveys.definition import OnReclose, Survey
from tests.harness import AT_ONCE, CSAT, Story
from tests.moments import moment
from tests.web.operator.pages import words
from tests.web.operator.window_client import look, make_window

VIEW = "/operator/story"


def test_the_search_is_empty_at_first(window: FlaskClient) -> None:
    response = look(window, VIEW)
    assert response.status_code == 200
    assert words(response.text) == "Story Conversation Its number, or the address of its page in Dixa. Show its story"


@pytest.mark.parametrize("name", ["{0}", "#{0}", " {0} ", "https://northwind.dixa.com/conversation/{0}", "{0}-1"])
def test_a_conversation_is_found_by_number_or_address(window: FlaskClient, story: Story, name: str) -> None:
    survey_id = story.begin()
    response = look(window, VIEW, query_string={"q": name.format(survey_id)})
    assert response.status_code == 200
    assert f"Conversation {survey_id}" in response.text


@pytest.mark.parametrize(
    ("query", "status", "text"),
    [
        ("hello", 400, "This is not a conversation."),
        ("0", 400, "This is not a conversation."),
        ("9" * 30, 400, "This is not a conversation."),
        ("<script>", 400, "This is not a conversation."),
        ("4711", 404, "There is no record of conversation 4711"),
    ],
)
def test_a_search_for_nothing_names_the_way_out(window: FlaskClient, query: str, status: int, text: str) -> None:
    response = look(window, VIEW, query_string={"q": query})
    assert response.status_code == status
    assert text in response.text
    assert f'value="{html.escape(query)}"' in response.text, "what was typed stays"
    assert "<script" not in response.text


def lines_of(page: str) -> list[str]:
    """Return the lines of the timeline without their times."""
    timeline = page.partition('<ol class="timeline">')[2].partition("</ol>")[0]
    found = re.findall(r"<p(?: class=\"detail\")?>(.+?)</p>", timeline)
    return [html.unescape(re.sub("<[^>]+>", "", each)) for each in found]


def test_it_tells_the_same_as_the_command(window: FlaskClient, story: Story) -> None:
    waiting, delivered, answered = story.begin(replace(AT_ONCE, delay=timedelta(hours=1))), story.begin(), story.begin()
    skipped = story.begin(replace(AT_ONCE, match=replace(AT_ONCE.match, with_tags=("vip",))))
    story.ask(delivered)
    story.ask(skipped)
    story.complete(answered, {CSAT: 5}, "Tak")
    for each in (waiting, delivered, answered, skipped):
        told = [line[23:].strip().replace("`", "") for line in describe(story.load(each), "")]
        assert lines_of(look(window, VIEW, query_string={"q": each}).text) == told
        assert len(told) > 2


def test_all_rounds_are_told_the_latest_first(window: FlaskClient, story: Story) -> None:
    first = story.begin()
    story.ask(first)
    again = replace(AT_ONCE, on_reclose=OnReclose.ALWAYS)
    assert story.close(int(first), again, closed_at=moment() + timedelta(minutes=5)) == f"{first}-2"
    text = words(look(window, VIEW, query_string={"q": first}).text)
    assert text.index("Round 2 of 2") < text.index("Round 1 of 2")


def test_a_comment_is_never_shown(window: FlaskClient, story: Story) -> None:
    survey_id = story.begin()
    story.ask(survey_id)
    story.answer(survey_id, {CSAT: 1}, comment="My secret wish")
    page = look(window, VIEW, query_string={"q": survey_id}).text
    assert "with a comment" in page
    assert "secret wish" not in page


def test_pause_outage_and_opt_out_are_told(window: FlaskClient, story: Story, keys: redis.Redis) -> None:
    survey_id = story.begin()
    story.records.pause()
    keys.set("afterword:dixa:down", int(datetime(2026, 11, 29, 10, tzinfo=UTC).timestamp() * 1000))
    close = story.load(survey_id).close
    assert close
    assert close.requester_id
    HashedOptOuts.beside(story.records).add(close.requester_id)
    text = words(look(window, VIEW, query_string={"q": survey_id}).text)
    assert "Surveys are paused: none is sent." in text
    assert "Dixa is down since 2026-11-29 10:00:00 UTC" in text
    assert "This customer has opted out" in text


def test_times_are_in_the_time_zone_of_the_settings(redis_url: str, story: Story) -> None:
    closed_at = datetime.now(UTC).replace(month=6, day=1, hour=22, minute=30, second=15, microsecond=0)
    survey_id = story.begin(Survey(delay=timedelta(days=1)), closed_at=closed_at)
    page = look(make_window(redis_url, TIME_ZONE="Europe/Copenhagen"), VIEW, query_string={"q": survey_id}).text
    assert "2 Jun, 00:30:15</time>" in page
    assert f'datetime="{closed_at.isoformat(timespec="seconds")}"' in page


def test_a_conversation_links_to_dixa_if_its_address_is_set(redis_url: str, story: Story) -> None:
    survey_id = story.begin()
    for environ, has_link in (({}, False), ({"DIXA_APP_URL": "https://northwind.dixa.com"}, True)):
        page = look(make_window(redis_url, **environ), VIEW, query_string={"q": survey_id}).text
        assert (f'href="https://northwind.dixa.com/conversation/{survey_id}"' in page) is has_link


def test_hostile_names_are_escaped(window: FlaskClient, story: Story) -> None:
    survey_id = story.close(story.dixa.make_conversation(), AT_ONCE, queue_name="<img src=x>`<b>`")
    page = look(window, VIEW, query_string={"q": survey_id}).text
    assert "<img" not in page
    assert "<code>&lt;b&gt;</code>" in page
