"""`afterword try-rules`: what today's rules would do about closed conversations, at leisure and without a trace."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis

from service.sandbox.control import dump_state
from service.sandbox.model import Link, Person
from service.sandbox.server import Sandbox
from tests.cli.conftest import SURVEYS, Runner
from tests.telling import AT_ONCE, Story

ONE = """
[[survey]]
name = "one"

[survey.ask]
assigned = true
"""


def close(dixa: Sandbox, *, days_ago: float = 1, **facts: Any) -> int:
    """Add a conversation that was closed some days ago."""
    number = dixa.make_conversation(**facts, state="Closed")
    conversation = dixa.conversation(number)
    conversation.closed_at = conversation.state_updated_at = datetime.now(UTC) - timedelta(days=days_ago)
    return number


def tried(run: Runner, *options: str, surveys: str = ONE) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("try-rules", "--json", *options, surveys=surveys).stdout)
    return found


def test_it_tells_who_would_be_asked_by_which_survey_and_who_not_and_why(run: Runner, dixa: Sandbox) -> None:
    close(dixa)
    close(dixa, tags=["vip"])
    close(dixa, tags=["spam"])
    close(dixa, channel="PstnPhone")
    close(dixa, direction="Internal")
    close(dixa, agent=False)
    close(dixa, link=Link("SideConversation", 48201))
    dixa.make_rating(close(dixa))
    dixa.erase(close(dixa))
    dixa.reopen(close(dixa))
    close(dixa, days_ago=31)
    told = run("try-rules").output
    assert [line.split() for line in told.splitlines() if "%" in line] == [
        ["would", "be", "asked", "2", "20.0%"],
        ["default", "1", "10.0%"],
        ["vip", "1", "10.0%"],
        ["would", "not", "be", "asked", "8", "80.0%"],
        ["already_surveyed", "1", "10.0%"],
        ["erased", "1", "10.0%"],
        ["internal", "1", "10.0%"],
        ["reopened", "1", "10.0%"],
        ["side_conversation", "1", "10.0%"],
        ["tag_excluded", "1", "10.0%"],
        ["unassigned", "1", "10.0%"],
        ["unreachable", "1", "10.0%"],
    ]
    assert "What this can't know:" in told


def keys_of(client: redis.Redis) -> dict[str, bytes | None]:
    """Every key with what it holds, but the pace's slots."""
    names = [name for name in map(str, client.keys("*")) if not name.startswith("afterword:pace:")]
    return {name: client.dump(name) for name in names}


def state_of(dixa: Sandbox) -> dict[str, Any]:
    return json.loads(json.dumps(dump_state(dixa)))  # type: ignore[no-any-return]


@pytest.mark.parametrize("has_history", [False, True])
def test_nothing_is_written_in_redis_or_in_dixa(
    run: Runner, story: Story, keys: redis.Redis, *, has_history: bool
) -> None:
    customer = Person("Ida Holm", "ida@example.com")
    if has_history:
        story.ask(story.begin(requester=customer))
        story.stops.add("somebody")
        story.begin()
    for facts in ({}, {"tags": ["vip"]}, {"requester": customer}, {"channel": "PstnPhone"}):
        close(story.dixa, **facts)
    before = keys_of(keys), state_of(story.dixa)
    calls = len(story.dixa.calls)
    run("try-rules", surveys=SURVEYS + "min_agent_messages = 1\n")
    assert (keys_of(keys), state_of(story.dixa)) == before
    made = story.dixa.calls[calls:]
    assert {each.method for each in made if each.call != "search"} == {"GET"}
    assert len(made) > 8
    assert bool(before[0]) is has_history


def test_a_conversation_costs_two_calls_and_those_that_no_rule_needs_none(run: Runner, dixa: Sandbox) -> None:
    for _ in range(3):
        close(dixa)
    close(dixa, channel="PstnPhone", agent=False)
    run("try-rules", surveys=ONE)
    calls = [each.call for each in dixa.calls]
    assert {name: calls.count(name) for name in set(calls)} == {"search": 1, "conversation": 4, "ratings": 3}


def test_names_of_queues_are_asked_for_once(run: Runner, dixa: Sandbox) -> None:
    close(dixa, queue="Returns")
    close(dixa, queue="Sales")
    surveys = ONE + 'queues = ["Returns"]\n'
    assert tried(run, surveys=surveys)["skipped"] == {"queue": 1}
    assert [each.call for each in dixa.calls].count("queues") == 1


def test_a_customer_takes_one_turn_in_the_order_of_closing(run: Runner, dixa: Sandbox) -> None:
    customer, same_address = (Person("Ida Holm", "ida@example.com") for _ in range(2))
    for days_ago in (20, 1, 12):
        close(dixa, days_ago=days_ago, requester=customer)
    close(dixa, days_ago=2, requester=same_address)
    surveys = ONE.replace("[survey.ask]", 'again_after = "10d"\n[survey.ask]')
    found = tried(run, surveys=surveys)
    assert (found["asked"], found["skipped"]) == ({"one": 2}, {"asked_recently": 2})


def test_a_daily_cap_is_one_for_each_day(run: Runner, dixa: Sandbox) -> None:
    noon = datetime.now(UTC).replace(hour=12, minute=0) - timedelta(days=4)
    for day in (0, 0, 0, 1):
        conversation = dixa.conversation(close(dixa))
        conversation.closed_at = conversation.state_updated_at = noon + timedelta(days=day)
    surveys = ONE.replace("[survey.ask]", "daily_cap = 2\n[survey.ask]")
    found = tried(run, surveys=surveys)
    assert (found["asked"], found["skipped"]) == ({"one": 3}, {"daily_cap": 1})


def test_what_afterword_asked_itself_is_tried_as_if_it_had_not(run: Runner, story: Story) -> None:
    story.ask(story.begin(AT_ONCE))
    assert tried(run)["asked"] == {"one": 1}


def test_who_stopped_the_surveys_is_not_asked(run: Runner, story: Story) -> None:
    customer = Person("Ida Holm", "ida@example.com")
    story.stops.add(customer.id)
    close(story.dixa, requester=customer)
    assert tried(run)["skipped"] == {"opted_out": 1}


def test_a_rule_whose_fact_the_api_does_not_tell_is_taken_as_met_and_named(run: Runner, dixa: Sandbox) -> None:
    close(dixa)
    close(dixa, channel="WidgetChat")
    surveys = ONE.replace("[survey.ask]", "starts = 2999-01-01\n[survey.ask]") + (
        'user_types = ["Contact"]\ncontact_points = ["help@nordlys.example"]\nwithout_addresses = ["@example.com"]\n'
    )
    found = tried(run, surveys=surveys)
    assert (found["asked"], found["skipped"]) == ({"one": 1}, {"address": 1})
    assert found["taken_as_met"] == {"user_types": 2, "contact_points": 1, "without_addresses": 1}
    assert (
        "user_types: the API doesn't tell it for 2 of these; taken as met." in run("try-rules", surveys=surveys).output
    )


def test_a_sample_and_a_limit_are_said(run: Runner, dixa: Sandbox) -> None:
    for _ in range(120):
        close(dixa, agent=False)
    drawn = tried(run, "--sample", "0.3")
    assert 15 < drawn["tried"] < 60
    assert (drawn["among"], drawn["is_all"]) == (120, True)
    assert tried(run, "--sample", "0.3")["tried"] == drawn["tried"]
    few = tried(run, "--limit", "10")
    assert (few["tried"], few["is_all"]) == (10, False)
    told = run("try-rules", "--sample", "0.3", "--limit", "10", surveys=ONE).output
    assert "There are more than --limit 10" in told
    assert "Only 10 were drawn of" in told


def test_a_long_one_is_asked_about_before_it_begins(run: Runner, dixa: Sandbox) -> None:
    for _ in range(60):
        close(dixa, agent=False)
    told = run("try-rules", surveys=ONE, fails=True, DIXA_PACE="9.5/3").output
    assert "60 conversations to try, 2 calls each at most, 1.9 calls a second (a fifth of DIXA_PACE)" in told
    assert "32 s to 63 s." in told
    assert "Begin?" in told
    assert {each.call for each in dixa.calls} == {"search"}
    assert "Begin?" not in run("try-rules", "--yes", surveys=ONE, DIXA_PACE="1000/9").output


def test_what_dixa_refuses_is_counted_apart(run: Runner, dixa: Sandbox) -> None:
    close(dixa)
    close(dixa)
    dixa.fails(status=404, call="conversation")
    found = tried(run)
    assert (found["unreadable"], found["asked"]) == (1, {"one": 1})


def test_a_refused_token_is_said_at_once(run: Runner, dixa: Sandbox) -> None:
    dixa.fails(status=401, call="search")
    assert "DIXA_API_TOKEN" in run("try-rules", fails=True).output


def test_nothing_closed_is_no_table(run: Runner) -> None:
    assert "No conversation was closed since then." in run("try-rules").output


@pytest.mark.parametrize("options", [["--since", "3"], ["--since", "999d"], ["--sample", "0"], ["--limit", "0"]])
def test_a_mistake_is_named(run: Runner, options: list[str]) -> None:
    assert "Invalid value" in run("try-rules", *options, fails=True).output
