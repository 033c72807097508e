"""Matching at the close, as tables for a support lead."""

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

CASES: list[tuple[str, str, dict[str, Any], Reason | None]] = [
    # case                             [survey.match]                   the conversation            the reason, if any
    ("no rule", "", {}, None),
    ("its channel", 'channels = ["Email"]', {}, None),
    ("its channel in capitals", 'channels = ["EMAIL"]', {}, None),
    ("two words in capitals", 'channels = ["WIDGET_CHAT"]', {"channel": "WidgetChat"}, None),
    ("two words in small letters", 'channels = ["widgetchat"]', {"channel": "WidgetChat"}, None),
    ("two words as the API", 'channels = ["WidgetChat"]', {"channel": "WidgetChat"}, None),
    ("one of several channels", 'channels = ["SMS", "Email"]', {}, None),
    ("another channel", 'channels = ["WHATS_APP"]', {}, Reason.CHANNEL),
    ("channel missing in the webhook", 'channels = ["Email"]', {"channel": None}, None),
    ("any channel, even an unknown one", "channels = []", {"channel": None}, None),
    ("its queue by name", 'queues = ["Returns"]', {}, None),
    ("its queue by id", 'queues = ["q-1"]', {}, None),
    ("another queue", 'queues = ["Sales"]', {}, Reason.QUEUE),
    ("no queue", 'queues = ["Returns"]', {"queue_id": None, "queue_name": None}, Reason.QUEUE),
    ("any queue, even none", "queues = []", {"queue_id": None, "queue_name": None}, None),
    ("outbound, no rule", "", {"direction": "Outbound"}, None),
    ("outbound, excluded", 'directions = ["INBOUND"]', {"direction": "Outbound"}, Reason.DIRECTION),
    ("outbound, included", 'directions = ["OUTBOUND"]', {"direction": "Outbound"}, None),
    ("outbound, in the spelling of the API", 'directions = ["Outbound"]', {"direction": "Outbound"}, None),
    ("either direction", "directions = []", {"direction": "Outbound"}, None),
    ("direction missing in the webhook", 'directions = ["Inbound"]', {"direction": None}, None),
    ("spam, no rule", "", {"tags": ("spam",)}, None),
    ("an excluded tag", 'without_tags = ["spam"]', {"tags": ("spam",)}, Reason.TAG_EXCLUDED),
    ("an excluded tag in capitals", 'without_tags = ["no-survey"]', {"tags": ("No-Survey",)}, Reason.TAG_EXCLUDED),
    ("an excluded tag, in capitals in the file", 'without_tags = ["VIP"]', {"tags": ("vip",)}, Reason.TAG_EXCLUDED),
    ("an excluded tag among others", 'without_tags = ["spam"]', {"tags": ("a", "SPAM", "b")}, Reason.TAG_EXCLUDED),
    ("a tag only containing an excluded tag", 'without_tags = ["spam"]', {"tags": ("spam?",)}, None),
    ("a tag, none excluded", "without_tags = []", {"tags": ("spam",)}, None),
    ("the required tag", 'with_tags = ["survey"]', {"tags": ("Survey",)}, None),
    ("the required tag, sharp s", 'with_tags = ["STRASSE"]', {"tags": ("straße",)}, None),
    ("one of two required tags", 'with_tags = ["a", "b"]', {"tags": ("a",)}, Reason.TAG_MISSING),
    ("both required tags", 'with_tags = ["a", "b"]', {"tags": ("b", "a")}, None),
    ("no required tag", 'with_tags = ["a"]', {}, Reason.TAG_MISSING),
    ("its contact point", 'contact_points = ["help@nordlys.example"]', {}, None),
    ("another contact point", 'contact_points = ["+4570123456"]', {}, Reason.CONTACT_POINT),
    ("an unknown contact point", 'contact_points = ["a"]', {"contact_point": None}, Reason.CONTACT_POINT),
    ("its requester's type", 'user_types = ["CONTACT"]', {}, None),
    ("another requester's type", 'user_types = ["Contact"]', {"user_type": "Visitor"}, Reason.USER_TYPE),
    ("an unknown type, no rule", "", {"user_type": None}, None),
    ("handled by a person", 'assignee_types = ["Member"]', {}, None),
    ("handled by a bot", 'assignee_types = ["Member"]', {"assignee_type": "Bot"}, Reason.ASSIGNEE_TYPE),
    ("no agent is no wrong type", 'assigned = true\nassignee_types = ["Member"]', NOBODY, Reason.UNASSIGNED),
    ("no agent, and none needed", 'assignee_types = ["Bot"]', NOBODY, Reason.ASSIGNEE_TYPE),
    ("for bots only", 'assignee_types = ["BOT"]', {"assignee_type": "Bot"}, None),
    ("a test address", 'addresses = ["ida@example.com"]', {}, None),
    ("a test address in capitals", 'addresses = ["Ida@Example.com"]', {}, None),
    ("a test domain", 'addresses = ["@example.com"]', {}, None),
    ("another domain", 'addresses = ["@straße.example"]', {"email": "ida@strasse.example"}, Reason.ADDRESS),
    (
        "an internationalised test domain",
        'addresses = ["@Straße.example"]',
        {"email": "ida@xn--strae-oqa.example"},
        None,
    ),
    (
        "a domain with the same ending",
        'addresses = ["@example.com"]',
        {"email": "a@shop-example.com"},
        Reason.ADDRESS,
    ),
    ("no test address", 'addresses = ["@northwind.example"]', {}, Reason.ADDRESS),
    ("no address, tests only", 'addresses = ["@example.com"]', {"email": None}, Reason.ADDRESS),
    ("an excluded address", 'without_addresses = ["@example.com"]', {}, Reason.ADDRESS),
    ("no address to exclude", 'without_addresses = ["@example.com"]', {"email": None}, None),
    ("a colleague, no rule", "", {"user_type": "Member"}, Reason.MEMBER),
    ("internal, in any direction", "directions = []", {"direction": "Internal"}, Reason.INTERNAL),
    ("no agent, no rule", "", {"agent_id": None}, None),
    ("no agent", "assigned = true", {"agent_id": None}, Reason.UNASSIGNED),
    ("no agent needed", "assigned = false", {"agent_id": None}, None),
    ("a sample of 0", "sample = 0.0", {}, Reason.NOT_SAMPLED),
    ("a sample of 1", "sample = 1", {}, None),
    ("the first mismatch is the reason", 'channels = ["Sms"]\nassigned = true', NOBODY, Reason.CHANNEL),
    (
        "an excluded and a missing tag",
        'with_tags = ["a"]\nwithout_tags = ["spam"]',
        {"tags": ("spam",)},
        Reason.TAG_EXCLUDED,
    ),
]


@pytest.mark.parametrize(("match", "facts", "reason"), [line[1:] for line in CASES], ids=[line[0] for line in CASES])
def test_survey_matches_or_has_a_reason(match: str, facts: dict[str, Any], reason: Reason | None) -> None:
    survey = survey_of(match)
    choice = choose_at_close(close_of(**facts), [survey])
    assert choice.candidates == (() if reason else (survey,))
    assert choice.reason is reason


STARTS: list[tuple[str, str, str | None]] = [
    # case                        the terms of the survey               the fact of the mismatch, if any
    ("no date", "", None),
    ("a day before", "not_before = 2026-11-21", "2026-11-20T00:00+00:00"),
    ("the same day", "not_before = 2026-11-20", None),
    ("a minute before", "not_before = 2026-11-20T00:01:00Z", "2026-11-20T00:00+00:00"),
    ("the same moment in another zone", "not_before = 2026-11-20T01:00:00+01:00", None),
]


@pytest.mark.parametrize(("terms", "fact"), [line[1:] for line in STARTS], ids=[line[0] for line in STARTS])
def test_close_before_not_before_is_skipped(terms: str, fact: str | None) -> None:
    choice = choose_at_close(close_of(), [survey_of(terms=terms)])
    assert choice.reason is (Reason.BEFORE_START if fact else None)
    assert [each.fact for each in choice.mismatches] == ([fact] if fact else [])


def test_mismatch_names_the_survey_the_rule_and_the_fact() -> None:
    surveys = [survey_of('channels = ["Sms"]', "texts"), survey_of('queues = ["Sales"]', "sales")]
    choice = choose_at_close(close_of(), surveys)
    mismatches = [(each.survey, each.rule, each.fact, each.reason) for each in choice.mismatches]
    assert mismatches == [("texts", "channels", "Email", Reason.CHANNEL), ("sales", "queues", "Returns", Reason.QUEUE)]


@pytest.mark.parametrize("match", ['addresses = ["@northwind.example"]', 'without_addresses = ["@example.com"]'])
def test_mismatch_never_quotes_an_address(match: str) -> None:
    choice = choose_at_close(close_of(), [survey_of(match)])
    assert "example.com" not in json.dumps([each.fact for each in choice.mismatches])


EMAIL, CHAT, ALL = survey_of('channels = ["Email"]'), survey_of('channels = ["WidgetChat"]'), survey_of()
VIP, TAKEN = survey_of('with_tags = ["vip"]'), survey_of("assigned = true")


@pytest.mark.parametrize(
    ("surveys", "facts", "chosen"),
    [
        pytest.param([EMAIL, ALL], {}, (EMAIL, None), id="first match"),
        pytest.param([ALL, EMAIL], {}, (ALL, None), id="first match, not the most specific"),
        pytest.param([CHAT, VIP, ALL], {}, (ALL, None), id="only the last matches"),
        pytest.param([CHAT, CHAT], {}, (None, Reason.CHANNEL), id="shared reason"),
        pytest.param([CHAT, VIP], {}, (None, Reason.NO_SURVEY_MATCHES), id="different reasons"),
        pytest.param([TAKEN, TAKEN], {"agent_id": None}, (None, Reason.UNASSIGNED), id="shared missing agent"),
        pytest.param([], {}, (None, Reason.NO_SURVEY_MATCHES), id="no survey"),
    ],
)
def test_first_matching_survey_is_used(
    surveys: list[Survey], facts: dict[str, Any], chosen: tuple[Survey | None, Reason | None]
) -> None:
    choice = choose_at_close(close_of(**facts), surveys)
    assert (next(iter(choice.candidates), None), choice.reason) == chosen


@pytest.mark.parametrize(("email", "fact"), [("bo@example.com", "another address"), (None, "no address")])
def test_address_mismatch_distinguishes_a_missing_address(email: str | None, fact: str) -> None:
    choice = choose_at_close(close_of(email=email), [survey_of('addresses = ["ida@example.com"]')])
    assert [each.fact for each in choice.mismatches] == [fact]
