"""`afterword try-rules`: a dry run of the rules on closed conversations, at low priority and without writes."""

import re
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest
import redis

from service.sandbox.dixa.model import Link, Person
from service.sandbox.server import Sandbox
from tests.cli.conftest import SURVEYS, Runner
from tests.cli.dry_run import ONE, close, tried
from tests.contents import contents
from tests.harness import Story


def test_table_counts_surveys_and_reasons(run: Runner, dixa: Sandbox) -> None:
    close(dixa)
    close(dixa, tags=["vip"])
    close(dixa, tags=["spam"])
    close(dixa, channel="PstnPhone")
    close(dixa, direction="Internal")
    close(dixa, agent=False)
    close(dixa, link=Link("SideConversation", 48201))
    close(dixa, requester=Person("No reply", "no-reply@example.com"))
    dixa.make_rating(close(dixa))
    dixa.erase(close(dixa))
    dixa.reopen(close(dixa))
    close(dixa, days_ago=31)
    told = run("try-rules").output
    assert [line.split() for line in told.splitlines() if "%" in line] == [
        ["would", "be", "asked", "2", "18.2%"],
        ["default", "1", "9.1%"],
        ["vip", "1", "9.1%"],
        ["would", "not", "be", "asked", "9", "81.8%"],
        ["already_surveyed", "1", "9.1%"],
        ["erased", "1", "9.1%"],
        ["internal", "1", "9.1%"],
        ["machine", "1", "9.1%"],
        ["reopened", "1", "9.1%"],
        ["side_conversation", "1", "9.1%"],
        ["tag_excluded", "1", "9.1%"],
        ["unassigned", "1", "9.1%"],
        ["unreachable", "1", "9.1%"],
    ]
    assert "Limits:" in told


def test_a_mailbox_of_ours_is_tried_as_a_machine(run: Runner, dixa: Sandbox) -> None:
    close(dixa, requester=Person("Northwind", "survey@northwind.example"))
    close(dixa, requester=Person("Ida Holm", "ida@example.com"))
    found = tried(run, MAIL_FROM="Northwind <survey@northwind.example>")
    assert (found["asked"], found["skipped"]) == ({"one": 1}, {"machine": 1})


def keys_of(client: redis.Redis) -> dict[str, Any]:
    """Every key with what it holds, but the pace's slots."""
    return contents(client, but="afterword:pace:")


def state_of(dixa: Sandbox) -> tuple[object, ...]:
    return deepcopy((dixa.state.conversations, dixa.state.deliveries, dixa.state.report))


@pytest.mark.parametrize("has_history", [False, True])
def test_nothing_is_written_in_redis_or_in_dixa(
    run: Runner, story: Story, keys: redis.Redis, *, has_history: bool
) -> None:
    customer = Person("Ida Holm", "ida@example.com")
    if has_history:
        story.ask(story.begin(requester=customer))
        story.opt_outs.add("somebody")
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


def test_rule_costs_one_call_for_all_surveys(run: Runner, dixa: Sandbox) -> None:
    close(dixa, channel="WidgetChat")
    tagged = ONE + 'without_tags = ["spam"]\nmin_agent_messages = 0\nmin_customer_messages = 0\n'
    assert tried(run, surveys=tagged.replace('"one"', '"first"') + 'user_types = ["Contact"]\n' + tagged)["unknown"]
    calls = [each.call for each in dixa.calls]
    assert sorted(calls) == ["conversation", "conversation_tags", "ratings", "search"]


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
    assert "More than --limit 10" in told
    assert "Sample: 10 of" in told


def test_long_dry_run_needs_confirmation(run: Runner, dixa: Sandbox) -> None:
    for _ in range(60):
        close(dixa, agent=False)
    told = run("try-rules", surveys=ONE, fails=True, DIXA_PACE="9.5/3").output
    assert "60 conversations to try, 2 calls each at most, 1.9 calls a second (a fifth of DIXA_PACE)" in told
    assert "32 s to 63 s." in told
    assert "Begin?" in told
    assert {each.call for each in dixa.calls} == {"search"}
    assert "Begin?" not in run("try-rules", "--yes", surveys=ONE, DIXA_PACE="1000/9").output


def test_unreadable_conversations_are_counted(run: Runner, dixa: Sandbox) -> None:
    close(dixa)
    close(dixa)
    dixa.fails(status=404, call="conversation")
    found = tried(run)
    assert (found["unreadable"], found["asked"]) == (1, {"one": 1})


def test_refused_token_ends_it_at_once(run: Runner, dixa: Sandbox) -> None:
    dixa.fails(status=401, call="search")
    assert "DIXA_API_TOKEN" in run("try-rules", fails=True).output


def test_refused_token_sets_no_cooldown_for_the_workers(run: Runner, dixa: Sandbox, keys: redis.Redis) -> None:
    """The workers may never ask what this asks, and their token may do all that they need."""
    dixa.fails(status=403, call="search")
    run("try-rules", fails=True)
    assert not keys.exists("afterword:pace:pause")
    assert keys.keys("afterword:pace:*:*") == []


def test_cooldown_of_the_token_ends_it_at_once(run: Runner, story: Story) -> None:
    shared = story.calls._pace
    shared.cool_down(story.dixa.token, timedelta(seconds=40), "Dixa returned 401")
    told = run("try-rules", fails=True).output
    assert re.search(r"Dixa returned 401: is DIXA_API_TOKEN right\? Everybody waits for another (40|[123]\d) s", told)
    assert story.dixa.calls == []


def test_no_conversations_no_table(run: Runner) -> None:
    assert "No conversation was closed since then." in run("try-rules").output


@pytest.mark.parametrize("options", [["--since", "3"], ["--since", "999d"], ["--sample", "0"], ["--limit", "0"]])
def test_a_mistake_is_named(run: Runner, options: list[str]) -> None:
    assert "Invalid value" in run("try-rules", *options, fails=True).output
