"""Matching at the close: tables of rules, readable for a support lead."""

import json
from typing import Any

import pytest

from service.rules.matching import (
    choose_at_close,
)
from service.surveys.definition import Survey
from service.surveys.reasons import Reason
from tests.rules.examples import close_of, survey_of

NOBODY = {"agent_id": None, "assignee_type": None}

WHO_IS_ASKED: list[tuple[str, str, dict[str, Any], Reason | None]] = [
    # case                             [survey.match] says              the conversation            the reason, or asked
    ("nothing said: asked", "", {}, None),
    ("its channel", 'channels = ["Email"]', {}, None),
    ("its channel in capitals", 'channels = ["EMAIL"]', {}, None),
    ("two words in capitals", 'channels = ["WIDGET_CHAT"]', {"channel": "WidgetChat"}, None),
    ("two words in small letters", 'channels = ["widgetchat"]', {"channel": "WidgetChat"}, None),
    ("two words as the API", 'channels = ["WidgetChat"]', {"channel": "WidgetChat"}, None),
    ("one of several channels", 'channels = ["SMS", "Email"]', {}, None),
    ("another channel", 'channels = ["WHATS_APP"]', {}, Reason.CHANNEL),
    ("no channel told: looked up when it is due", 'channels = ["Email"]', {"channel": None}, None),
    ("any channel, even an unknown one", "channels = []", {"channel": None}, None),
    ("its queue by name", 'queues = ["Returns"]', {}, None),
    ("its queue by id", 'queues = ["q-1"]', {}, None),
    ("another queue", 'queues = ["Sales"]', {}, Reason.QUEUE),
    ("no queue", 'queues = ["Returns"]', {"queue_id": None, "queue_name": None}, Reason.QUEUE),
    ("any queue, even none", "queues = []", {"queue_id": None, "queue_name": None}, None),
    ("outbound, nothing said", "", {"direction": "Outbound"}, None),
    ("outbound, not wanted", 'directions = ["INBOUND"]', {"direction": "Outbound"}, Reason.DIRECTION),
    ("outbound, wanted", 'directions = ["OUTBOUND"]', {"direction": "Outbound"}, None),
    ("outbound, as the API spells it", 'directions = ["Outbound"]', {"direction": "Outbound"}, None),
    ("either direction", "directions = []", {"direction": "Outbound"}, None),
    ("no direction told: looked up as well", 'directions = ["Inbound"]', {"direction": None}, None),
    ("spam, nothing said", "", {"tags": ("spam",)}, None),
    ("an unwanted tag", 'without_tags = ["spam"]', {"tags": ("spam",)}, Reason.TAG_EXCLUDED),
    ("an unwanted tag in capitals", 'without_tags = ["no-survey"]', {"tags": ("No-Survey",)}, Reason.TAG_EXCLUDED),
    ("an unwanted tag, in the file in capitals", 'without_tags = ["VIP"]', {"tags": ("vip",)}, Reason.TAG_EXCLUDED),
    ("an unwanted tag among others", 'without_tags = ["spam"]', {"tags": ("a", "SPAM", "b")}, Reason.TAG_EXCLUDED),
    ("a tag that only contains it", 'without_tags = ["spam"]', {"tags": ("spam?",)}, None),
    ("a tag, all wanted", "without_tags = []", {"tags": ("spam",)}, None),
    ("the wanted tag", 'with_tags = ["survey"]', {"tags": ("Survey",)}, None),
    ("the wanted tag, sharp s", 'with_tags = ["STRASSE"]', {"tags": ("straße",)}, None),
    ("one of two wanted tags", 'with_tags = ["a", "b"]', {"tags": ("a",)}, Reason.TAG_MISSING),
    ("both wanted tags", 'with_tags = ["a", "b"]', {"tags": ("b", "a")}, None),
    ("no wanted tag", 'with_tags = ["a"]', {}, Reason.TAG_MISSING),
    ("its contact point", 'contact_points = ["help@nordlys.example"]', {}, None),
    ("another contact point", 'contact_points = ["+4570123456"]', {}, Reason.CONTACT_POINT),
    ("an unknown contact point", 'contact_points = ["a"]', {"contact_point": None}, Reason.CONTACT_POINT),
    ("its requester's type", 'user_types = ["CONTACT"]', {}, None),
    ("another requester's type", 'user_types = ["Contact"]', {"user_type": "Visitor"}, Reason.USER_TYPE),
    ("an unknown type, none needed", "", {"user_type": None}, None),
    ("handled by a person", 'assignee_types = ["Member"]', {}, None),
    ("handled by a bot", 'assignee_types = ["Member"]', {"assignee_type": "Bot"}, Reason.ASSIGNEE_TYPE),
    ("no agent is no wrong type", 'assigned = true\nassignee_types = ["Member"]', NOBODY, Reason.UNASSIGNED),
    ("no agent, and none needed", 'assignee_types = ["Bot"]', NOBODY, Reason.ASSIGNEE_TYPE),
    ("for bots only", 'assignee_types = ["BOT"]', {"assignee_type": "Bot"}, None),
    ("a test address", 'addresses = ["ida@example.com"]', {}, None),
    ("a test address in capitals", 'addresses = ["Ida@Example.com"]', {}, None),
    ("a test domain", 'addresses = ["@example.com"]', {}, None),
    ("another's domain", 'addresses = ["@straße.example"]', {"email": "ida@strasse.example"}, Reason.ADDRESS),
    ("a test domain as it is said", 'addresses = ["@Straße.example"]', {"email": "ida@xn--strae-oqa.example"}, None),
    (
        "a domain that only ends like it",
        'addresses = ["@example.com"]',
        {"email": "a@shop-example.com"},
        Reason.ADDRESS,
    ),
    ("no test address", 'addresses = ["@northwind.example"]', {}, Reason.ADDRESS),
    ("no address, tests only", 'addresses = ["@example.com"]', {"email": None}, Reason.ADDRESS),
    ("an unwanted address", 'without_addresses = ["@example.com"]', {}, Reason.ADDRESS),
    ("no address to be unwanted", 'without_addresses = ["@example.com"]', {"email": None}, None),
    ("a colleague, whatever the file says", "", {"user_type": "Member"}, Reason.MEMBER),
    ("among colleagues, whatever it says", "directions = []", {"direction": "Internal"}, Reason.INTERNAL),
    ("no agent, nothing said", "", {"agent_id": None}, None),
    ("no agent", "assigned = true", {"agent_id": None}, Reason.UNASSIGNED),
    ("no agent needed", "assigned = false", {"agent_id": None}, None),
    ("nobody is in no sample", "sample = 0.0", {}, Reason.NOT_SAMPLED),
    ("everybody is in a whole one", "sample = 1", {}, None),
    ("the first mismatch is the reason", 'channels = ["Sms"]\nassigned = true', NOBODY, Reason.CHANNEL),
    (
        "an unwanted tag counts before a missing one",
        'with_tags = ["a"]\nwithout_tags = ["spam"]',
        {"tags": ("spam",)},
        Reason.TAG_EXCLUDED,
    ),
]


@pytest.mark.parametrize(
    ("ask", "facts", "reason"), [line[1:] for line in WHO_IS_ASKED], ids=[line[0] for line in WHO_IS_ASKED]
)
def test_who_is_asked(ask: str, facts: dict[str, Any], reason: Reason | None) -> None:
    survey = survey_of(ask)
    choice = choose_at_close(close_of(**facts), [survey])
    assert choice.candidates == (() if reason else (survey,))
    assert choice.reason is reason


STARTS: list[tuple[str, str, str | None]] = [
    # case                        the survey says                       the mismatch's fact, or asked
    ("no date", "", None),
    ("a day before", "not_before = 2026-11-21", "2026-11-20T00:00+00:00"),
    ("that day", "not_before = 2026-11-20", None),
    ("a minute before", "not_before = 2026-11-20T00:01:00Z", "2026-11-20T00:00+00:00"),
    ("that moment, elsewhere", "not_before = 2026-11-20T01:00:00+01:00", None),
]


@pytest.mark.parametrize(("terms", "fact"), [line[1:] for line in STARTS], ids=[line[0] for line in STARTS])
def test_close_before_not_before_is_skipped(terms: str, fact: str | None) -> None:
    choice = choose_at_close(close_of(), [survey_of(terms=terms)])
    assert choice.reason is (Reason.BEFORE_START if fact else None)
    assert [each.fact for each in choice.mismatches] == ([fact] if fact else [])


def test_a_mismatch_names_the_survey_the_rule_and_the_fact() -> None:
    surveys = [survey_of('channels = ["Sms"]', "texts"), survey_of('queues = ["Sales"]', "sales")]
    choice = choose_at_close(close_of(), surveys)
    told = [(each.survey, each.rule, each.fact, each.reason) for each in choice.mismatches]
    assert told == [("texts", "channels", "Email", Reason.CHANNEL), ("sales", "queues", "Returns", Reason.QUEUE)]


@pytest.mark.parametrize("ask", ['addresses = ["@northwind.example"]', 'without_addresses = ["@example.com"]'])
def test_a_mismatch_never_quotes_an_address(ask: str) -> None:
    choice = choose_at_close(close_of(), [survey_of(ask)])
    assert "example.com" not in json.dumps([each.fact for each in choice.mismatches])


EMAIL, CHAT, ALL = survey_of('channels = ["Email"]'), survey_of('channels = ["WidgetChat"]'), survey_of()
VIP, TAKEN = survey_of('with_tags = ["vip"]'), survey_of("assigned = true")


@pytest.mark.parametrize(
    ("surveys", "facts", "chosen"),
    [
        pytest.param([EMAIL, ALL], {}, (EMAIL, None), id="the first that matches"),
        pytest.param([ALL, EMAIL], {}, (ALL, None), id="not the most special one"),
        pytest.param([CHAT, VIP, ALL], {}, (ALL, None), id="the last when those before don't match"),
        pytest.param([CHAT, CHAT], {}, (None, Reason.CHANNEL), id="the reason that all share"),
        pytest.param([CHAT, VIP], {}, (None, Reason.NO_SURVEY_MATCHES), id="different reasons"),
        pytest.param([TAKEN, TAKEN], {"agent_id": None}, (None, Reason.UNASSIGNED), id="no agent, for all"),
        pytest.param([], {}, (None, Reason.NO_SURVEY_MATCHES), id="no survey at all"),
    ],
)
def test_first_matching_survey_is_used(
    surveys: list[Survey], facts: dict[str, Any], chosen: tuple[Survey | None, Reason | None]
) -> None:
    choice = choose_at_close(close_of(**facts), surveys)
    assert (next(iter(choice.candidates), None), choice.reason) == chosen


@pytest.mark.parametrize(("email", "fact"), [("bo@example.com", "another address"), (None, "no address")])
def test_a_mismatch_of_the_address_shows_whether_there_is_one(email: str | None, fact: str) -> None:
    choice = choose_at_close(close_of(email=email), [survey_of('addresses = ["ida@example.com"]')])
    assert [each.fact for each in choice.mismatches] == [fact]
