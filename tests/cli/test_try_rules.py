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
from tests.cli.dry_run import ONE, close, dry_run
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
    output = run("try-rules").output
    assert [line.split() for line in output.splitlines() if "%" in line] == [
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
    assert "Limits:" in output


def test_own_mailbox_is_skipped_as_a_machine(run: Runner, dixa: Sandbox) -> None:
    close(dixa, requester=Person("Northwind", "survey@northwind.example"))
    close(dixa, requester=Person("Ida Holm", "ida@example.com"))
    found = dry_run(run, MAIL_FROM="Northwind <survey@northwind.example>")
    assert (found["asked"], found["skipped"]) == ({"one": 1}, {"machine": 1})


def redis_contents(client: redis.Redis) -> dict[str, Any]:
    """Return every key with its value, except slots of the rate limit."""
    return contents(client, but="afterword:pace:")


def dixa_contents(dixa: Sandbox) -> tuple[object, ...]:
    return deepcopy((dixa.state.conversations, dixa.state.deliveries, dixa.state.report))


@pytest.mark.parametrize("has_history", [False, True])
def test_dry_run_writes_nothing_to_redis_or_dixa(
    run: Runner, story: Story, keys: redis.Redis, *, has_history: bool
) -> None:
    customer = Person("Ida Holm", "ida@example.com")
    if has_history:
        story.ask(story.begin(requester=customer))
        story.opt_outs.add("somebody")
        story.begin()
    for facts in ({}, {"tags": ["vip"]}, {"requester": customer}, {"channel": "PstnPhone"}):
        close(story.dixa, **facts)
    before = redis_contents(keys), dixa_contents(story.dixa)
    calls = len(story.dixa.calls)
    run("try-rules", surveys=SURVEYS + "min_agent_messages = 1\n")
    assert (redis_contents(keys), dixa_contents(story.dixa)) == before
    made = story.dixa.calls[calls:]
    assert {each.method for each in made if each.call != "search"} == {"GET"}
    assert len(made) > 8
    assert bool(before[0]) is has_history


def test_dry_run_makes_only_the_calls_that_a_rule_needs(run: Runner, dixa: Sandbox) -> None:
    for _ in range(3):
        close(dixa)
    close(dixa, channel="PstnPhone", agent=False)
    run("try-rules", surveys=ONE)
    calls = [each.call for each in dixa.calls]
    assert {name: calls.count(name) for name in set(calls)} == {"search": 1, "conversation": 4, "ratings": 3}


def test_names_of_queues_are_fetched_once(run: Runner, dixa: Sandbox) -> None:
    close(dixa, queue="Returns")
    close(dixa, queue="Sales")
    surveys = ONE + 'queues = ["Returns"]\n'
    assert dry_run(run, surveys=surveys)["skipped"] == {"queue": 1}
    assert [each.call for each in dixa.calls].count("queues") == 1


def test_rule_costs_one_call_for_all_surveys(run: Runner, dixa: Sandbox) -> None:
    close(dixa, channel="WidgetChat")
    tagged = ONE + 'without_tags = ["spam"]\nmin_agent_messages = 0\nmin_customer_messages = 0\n'
    assert dry_run(run, surveys=tagged.replace('"one"', '"first"') + 'user_types = ["Contact"]\n' + tagged)["unknown"]
    calls = [each.call for each in dixa.calls]
    assert sorted(calls) == ["conversation", "conversation_tags", "ratings", "search"]


def test_sample_and_limit_are_shown(run: Runner, dixa: Sandbox) -> None:
    for _ in range(120):
        close(dixa, agent=False)
    drawn = dry_run(run, "--sample", "0.3")
    assert 15 < drawn["tried"] < 60
    assert (drawn["among"], drawn["is_all"]) == (120, True)
    assert dry_run(run, "--sample", "0.3")["tried"] == drawn["tried"]
    few = dry_run(run, "--limit", "10")
    assert (few["tried"], few["is_all"]) == (10, False)
    output = run("try-rules", "--sample", "0.3", "--limit", "10", surveys=ONE).output
    assert "More than --limit 10" in output
    assert "Sample: 10 of" in output


def test_long_dry_run_needs_confirmation(run: Runner, dixa: Sandbox) -> None:
    for _ in range(60):
        close(dixa, agent=False)
    output = run("try-rules", surveys=ONE, fails=True, DIXA_PACE="9.9/3").output
    assert "60 conversations to try, 2 calls each at most, 2.0 calls a second (a fifth of DIXA_PACE)" in output
    assert "30 s to 61 s." in output
    assert "Begin?" in output
    assert {each.call for each in dixa.calls} == {"search"}
    assert "Begin?" not in run("try-rules", "--yes", surveys=ONE, DIXA_PACE="1000/9").output


def test_unreadable_conversations_are_counted(run: Runner, dixa: Sandbox) -> None:
    close(dixa)
    close(dixa)
    dixa.fails(status=404, call="conversation")
    found = dry_run(run)
    assert (found["unreadable"], found["asked"]) == (1, {"one": 1})


def test_refused_token_ends_the_dry_run_at_once(run: Runner, dixa: Sandbox) -> None:
    dixa.fails(status=401, call="search")
    assert "DIXA_API_TOKEN" in run("try-rules", fails=True).output


def test_refused_token_sets_no_cooldown_for_the_workers(run: Runner, dixa: Sandbox, keys: redis.Redis) -> None:
    """The workers never use `search`: their token may have all permissions that they need."""
    dixa.fails(status=403, call="search")
    run("try-rules", fails=True)
    assert not keys.exists("afterword:pace:pause")
    assert keys.keys("afterword:pace:*:*") == []


def test_cooldown_of_the_token_ends_the_dry_run_at_once(run: Runner, story: Story) -> None:
    shared = story.calls._pace
    shared.cool_down(story.dixa.token, timedelta(seconds=40), "Dixa returned 401")
    output = run("try-rules", fails=True).output
    assert re.search(r"Dixa returned 401: is DIXA_API_TOKEN right\? Everybody waits for another (40|[123]\d) s", output)
    assert story.dixa.calls == []


def test_no_table_without_conversations(run: Runner) -> None:
    assert "No conversation was closed since then." in run("try-rules").output


@pytest.mark.parametrize("options", [["--since", "3"], ["--since", "999d"], ["--sample", "0"], ["--limit", "0"]])
def test_invalid_option_is_refused(run: Runner, options: list[str]) -> None:
    assert "Invalid value" in run("try-rules", *options, fails=True).output
