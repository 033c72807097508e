"""`afterword try-rules`: a dry run of the rules on closed conversations, at low priority and without writes."""

import json
import re
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis

from service.rules.identity import Identities
from service.sandbox.dixa.model import Link, Person
from service.sandbox.server import Sandbox
from tests.cli.conftest import SURVEYS, Runner
from tests.contents import contents
from tests.harness import AT_ONCE, Story
from tests.processes import SECRET_KEY

ONE = """
[[survey]]
name = "one"

[survey.match]
assigned = true
"""


def close(dixa: Sandbox, *, days_ago: float = 1, **facts: Any) -> int:
    """Add a conversation that was closed some days ago."""
    number = dixa.make_conversation(**facts, state="Closed")
    conversation = dixa.conversation(number)
    conversation.closed_at = conversation.state_updated_at = datetime.now(UTC) - timedelta(days=days_ago)
    return number


def tried(run: Runner, *options: str, surveys: str = ONE, **environ: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("try-rules", "--json", *options, surveys=surveys, **environ).stdout)
    return found


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


def test_cooldown_applies_in_the_order_of_closing(run: Runner, dixa: Sandbox) -> None:
    customer, same_address = (Person("Ida Holm", "ida@example.com") for _ in range(2))
    for days_ago in (20, 1, 12):
        close(dixa, days_ago=days_ago, requester=customer)
    close(dixa, days_ago=2, requester=same_address)
    surveys = ONE.replace("[survey.match]", 'cooldown = "10d"\n[survey.match]')
    found = tried(run, surveys=surveys)
    assert (found["asked"], found["skipped"]) == ({"one": 2}, {"asked_recently": 2})


def test_a_daily_cap_is_one_for_each_day(run: Runner, dixa: Sandbox) -> None:
    noon = datetime.now(UTC).replace(hour=12, minute=0) - timedelta(days=4)
    for day in (0, 0, 0, 1):
        conversation = dixa.conversation(close(dixa))
        conversation.closed_at = conversation.state_updated_at = noon + timedelta(days=day)
    surveys = ONE.replace("[survey.match]", "daily_cap = 2\n[survey.match]")
    found = tried(run, surveys=surveys)
    assert (found["asked"], found["skipped"]) == ({"one": 3}, {"daily_cap": 1})


def test_ratings_of_our_own_are_ignored(run: Runner, story: Story) -> None:
    story.ask(story.begin(AT_ONCE))
    assert tried(run)["asked"] == {"one": 1}


def test_opted_out_customer_is_skipped(run: Runner, story: Story) -> None:
    customer = Person("Ida Holm", "ida@example.com")
    story.opt_outs.add(customer.id)
    close(story.dixa, requester=customer)
    assert tried(run)["skipped"] == {"opted_out": 1}


def test_same_person_as_an_opted_out_customer_is_skipped(run: Runner, story: Story) -> None:
    person = Identities([SECRET_KEY]).hashes_of("another-id", "ida@example.com")
    story.opt_outs.add("another-id", person)
    close(story.dixa, requester=Person("Ida Holm", "Ida@example.com"))
    assert tried(run)["skipped"] == {"opted_out": 1}


CAREFUL = """
[[survey]]
name = "test"
cooldown = "0s"
deliver = ["message", "email"]

[survey.match]
addresses = ["afterword.test@northwind.example"]

[[survey]]
name = "live"
daily_cap = 20
deliver = ["message", "email"]

[survey.match]
sample = 1.0
assigned = true
"""
"""The shape of config/examples/careful-start.toml."""

MAIL = {"SMTP_URL": "smtp://localhost:2525", "MAIL_FROM": "help@nordlys.example"}


def percents(told: str) -> list[str]:
    """The lines of the table, each with single blanks."""
    return [" ".join(line.split()) for line in told.splitlines() if line.endswith("%")]


def test_unknown_address_is_not_counted_as_asked(run: Runner, dixa: Sandbox) -> None:
    """A chat's address isn't told, so `test`, which asks one address, may ask it or may not."""
    for _ in range(20):
        close(dixa, channel="WidgetChat")
    close(dixa, requester=Person("We", "afterword.test@northwind.example"))
    close(dixa, agent=False)
    assert percents(run("try-rules", surveys=CAREFUL, **MAIL).output) == [
        "would be asked 1 4.5%",
        "test 1 4.5%",
        "unknown 20 90.9%",
        "test, if addresses 20 90.9%",
        "would not be asked 1 4.5%",
        "no_survey_matches 1 4.5%",
    ]
    found = tried(run, surveys=CAREFUL.replace("sample = 1.0", "sample = 0"), **MAIL)
    assert (found["asked"], sum(found["skipped"].values())) == ({"test": 1}, 1)
    assert found["unknown"] == [{"survey": "test", "rules": ["addresses"], "count": 20}]


def test_every_rule_without_a_fact_is_named(run: Runner, dixa: Sandbox) -> None:
    close(dixa, channel="WidgetChat")
    close(dixa, agent=False)
    surveys = ONE.replace("[survey.match]", "not_before = 2999-01-01\n[survey.match]") + (
        'user_types = ["Contact"]\ncontact_points = ["help@nordlys.example"]\nassignee_types = ["Member"]\n'
    )
    told = run("try-rules", surveys=surveys).output
    assert "one, if contact_points and user_types and assignee_types 1 50.0%" in percents(told)
    assert "- assignee_types: the API doesn't show them." in told
    assert "An unknown result counts for no cooldown" in told
    assert tried(run, surveys=surveys)["skipped"] == {"unassigned": 1}


def test_rule_that_decides_nothing_leaves_no_doubt(run: Runner, dixa: Sandbox) -> None:
    """Whatever the requester's type is: the first survey doesn't ask by telephone, the second asks everybody."""
    close(dixa)
    first = ONE.replace('"one"', '"first"') + 'user_types = ["Contact"]\nchannels = ["PSTN_PHONE"]\n'
    found = tried(run, surveys=first + ONE)
    assert (found["asked"], found["unknown"]) == ({"one": 1}, [])
    customer = Person("Ida Holm", "ida@example.com")
    close(dixa, requester=customer, tags=["spam"])
    by_type = ONE + 'user_types = ["Contact"]\nwithout_tags = ["spam"]\n'
    assert tried(run, surveys=by_type)["skipped"] == {"tag_excluded": 1}


def test_who_has_no_agent_has_no_assignee_of_any_type(run: Runner, dixa: Sandbox) -> None:
    close(dixa, agent=False)
    surveys = ONE.replace("assigned = true", 'assignee_types = ["Member"]')
    assert tried(run, surveys=surveys)["skipped"] == {"assignee_type": 1}


def test_customer_reachable_by_email_only_is_unknown(run: Runner, dixa: Sandbox) -> None:
    close(dixa, channel="PstnPhone")
    close(dixa, channel="WidgetChat")
    close(dixa)
    surveys = ONE.replace("[survey.match]", 'deliver = ["message", "email"]\n[survey.match]')
    found = tried(run, surveys=surveys, **MAIL)
    assert (found["asked"], found["skipped"]) == ({"one": 2}, {})
    assert found["unknown"] == [{"survey": "one", "rules": ["deliver"], "count": 1}]


def test_rule_costs_one_call_for_all_surveys(run: Runner, dixa: Sandbox) -> None:
    close(dixa, channel="WidgetChat")
    tagged = ONE + 'without_tags = ["spam"]\nmin_agent_messages = 0\nmin_customer_messages = 0\n'
    assert tried(run, surveys=tagged.replace('"one"', '"first"') + 'user_types = ["Contact"]\n' + tagged)["unknown"]
    calls = [each.call for each in dixa.calls]
    assert sorted(calls) == ["conversation", "conversation_tags", "ratings", "search"]


def test_unknown_result_counts_for_no_cooldown(run: Runner, dixa: Sandbox) -> None:
    customer = Person("Ida Holm", "ida@example.com")
    for days_ago, channel in ((3, "WidgetChat"), (2, "Email"), (1, "WidgetChat")):
        close(dixa, days_ago=days_ago, channel=channel, requester=customer)
    found = tried(run, surveys=ONE + 'addresses = ["ida@example.com"]\n')
    assert (found["asked"], found["skipped"]) == ({"one": 1}, {})
    assert [each["count"] for each in found["unknown"]] == [2]


def test_unknown_address_meets_without_addresses(run: Runner, dixa: Sandbox) -> None:
    close(dixa)
    close(dixa, channel="WidgetChat")
    surveys = ONE + 'without_addresses = ["@example.com"]\n'
    found = tried(run, surveys=surveys)
    assert (found["asked"], found["skipped"]) == ({"one": 1}, {"address": 1})


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
