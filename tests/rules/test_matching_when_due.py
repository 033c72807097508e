"""Matching of due surveys, and the necessary queries to Dixa."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from service.rules.matching import (
    DixaFacts,
    choose_at_close,
    choose_when_due,
    has_open_rules,
    may_predate_close,
    needs_messages,
    needs_tags,
)
from service.surveys.reasons import Reason
from tests.rules.examples import BOT_IN, BOT_OUT, IN, OUR_OWN, OUT, close_of, conversation_of, facts_of, survey_of

CASES: list[tuple[str, str, dict[str, Any], Reason | None]] = [
    # case                               [survey.match]                    facts of Dixa          the reason, if any
    ("no rule", "", {}, None),
    ("its language", 'languages = ["da"]', {"language": "da"}, None),
    ("its language by name", 'languages = ["Danish"]', {"language": "da-DK"}, None),
    ("one of several languages", 'languages = ["en", "da"]', {"language": "da"}, None),
    ("another language", 'languages = ["da"]', {"language": "de"}, Reason.LANGUAGE),
    ("an unsupported language", 'languages = ["da"]', {"language": "ja"}, Reason.LANGUAGE),
    ("an unknown language", 'languages = ["da"]', {"language": None}, Reason.LANGUAGE),
    ("an excluded tag", 'without_tags = ["spam"]', {"tags": ("Spam",)}, Reason.TAG_EXCLUDED),
    ("no excluded tag", 'without_tags = ["spam"]', {"tags": ("vip",)}, None),
    ("the required tag", 'with_tags = ["vip"]', {"tags": ("VIP",)}, None),
    ("no required tag", 'with_tags = ["vip"]', {"tags": ()}, Reason.TAG_MISSING),
    ("enough from the customer", "min_customer_messages = 2", {"messages": (IN, OUT, IN)}, None),
    ("too few from the customer", "min_customer_messages = 2", {"messages": (IN, OUT)}, Reason.FEW_CUSTOMER_MESSAGES),
    (
        "an automated message of the customer",
        "min_customer_messages = 1",
        {"messages": (BOT_IN,)},
        Reason.FEW_CUSTOMER_MESSAGES,
    ),
    ("enough from an agent", "min_agent_messages = 1", {"messages": (IN, OUT)}, None),
    ("too few from an agent", "min_agent_messages = 1", {"messages": (IN, IN)}, Reason.FEW_AGENT_MESSAGES),
    ("a message of a bot", "min_agent_messages = 1", {"messages": (IN, BOT_OUT)}, Reason.FEW_AGENT_MESSAGES),
    ("our own message", "min_agent_messages = 1", {"messages": (IN, OUR_OWN)}, Reason.FEW_AGENT_MESSAGES),
]


@pytest.mark.parametrize(
    ("match", "dixa", "reason"),
    [line[1:] for line in CASES],
    ids=[line[0] for line in CASES],
)
def test_due_survey_matches_or_has_a_reason(match: str, dixa: dict[str, Any], reason: Reason | None) -> None:
    survey = survey_of(match)
    close = close_of(tags=None)
    assert choose_at_close(close, [survey]).candidates == (survey,)
    choice = choose_when_due(close, [survey], facts_of(**dixa))
    assert choice.candidates == (() if reason else (survey,))
    assert choice.reason is reason


MISSING: list[tuple[str, str, dict[str, str | None], Reason | None]] = [
    # case                     [survey.match]                facts of Dixa                the reason, if any
    ("the same channel", 'channels = ["Email"]', {}, None),
    ("another channel", 'channels = ["Sms"]', {}, Reason.CHANNEL),
    ("the same direction", 'directions = ["Inbound"]', {"direction": "Inbound"}, None),
    ("another direction", 'directions = ["Inbound"]', {"direction": "Outbound"}, Reason.DIRECTION),
    ("unknown to Dixa", 'directions = ["Inbound"]', {"direction": None}, Reason.DIRECTION),
]


@pytest.mark.parametrize(("match", "dixa", "reason"), [line[1:] for line in MISSING], ids=[line[0] for line in MISSING])
def test_facts_missing_in_the_webhook_come_from_dixa(match: str, dixa: dict[str, Any], reason: Reason | None) -> None:
    survey, close = survey_of(match), close_of(channel=None, direction=None)
    assert choose_at_close(close, [survey]).candidates == (survey,)
    assert has_open_rules(close, survey)
    choice = choose_when_due(close, [survey], DixaFacts(conversation_of(**dixa), (), ()))
    assert choice.reason is reason


@pytest.mark.parametrize(
    ("match", "about_tags", "about_messages"),
    [
        ("", False, False),
        ('without_tags = ["spam"]', True, False),
        ('with_tags = ["vip"]', True, False),
        ("min_agent_messages = 1", False, True),
        ("min_customer_messages = 1", False, True),
        ('languages = ["da"]', False, False),
    ],
)
def test_rules_about_tags_and_messages_need_a_query(
    match: str,
    about_tags: bool,  # noqa: FBT001
    about_messages: bool,  # noqa: FBT001
) -> None:
    surveys = [survey_of(), survey_of(match)]
    assert (needs_tags(surveys), needs_messages(surveys)) == (about_tags, about_messages)


def test_tags_of_the_webhook_leave_no_rule_open() -> None:
    vip = survey_of('with_tags = ["vip"]')
    assert has_open_rules(close_of(tags=None), vip)
    assert not has_open_rules(close_of(tags=("vip",)), vip)


DANISH = survey_of('languages = ["da"]', "danish")
GERMAN = survey_of('languages = ["de"]', "german")
LONG = survey_of("min_agent_messages = 2", "long")


@pytest.mark.parametrize(
    ("surveys", "candidates", "language", "taken"),
    [
        pytest.param(["danish", "all"], ["danish", "all"], "da", "danish", id="its language"),
        pytest.param(["danish", "all"], ["danish", "all"], "sv", "all", id="the survey for all languages"),
        pytest.param(["all", "danish"], ["all"], "da", "all", id="first survey for all languages"),
        pytest.param(
            ["danish", "chat", "german"], ["danish", "german"], "de", "german", id="no survey of another channel"
        ),
        pytest.param(["danish", "german"], ["danish", "german"], "fr", Reason.LANGUAGE, id="no matching language"),
        pytest.param(["danish", "long"], ["danish", "long"], "fr", Reason.NO_SURVEY_MATCHES, id="different mismatches"),
    ],
)
def test_language_from_dixa_chooses_the_survey(
    surveys: list[str], candidates: list[str], language: str, taken: str | Reason
) -> None:
    known = {"danish": DANISH, "german": GERMAN, "long": LONG, "all": survey_of(name="all")}
    known["chat"] = survey_of('channels = ["WidgetChat"]', "chat")
    early = choose_at_close(close_of(), [known[name] for name in surveys])
    assert [each.name for each in early.candidates] == candidates
    late = choose_when_due(close_of(), early.candidates, facts_of(language=language))
    found = late.reason or next(each.name for each in late.candidates)
    assert found == taken


def test_first_matching_due_survey_is_used() -> None:
    surveys = [survey_of(name="one"), survey_of(name="other")]
    assert choose_when_due(close_of(), surveys, facts_of()).candidates == (surveys[0],)


@pytest.mark.parametrize(
    ("state", "hours", "is_erased", "is_earlier"),
    [
        ("Open", None, False, True),
        ("Open", 0, False, True),
        ("Open", -1, False, True),
        ("Open", 1, False, False),
        ("Open", 0, True, False),
        ("Closed", 0, False, False),
        (None, 0, False, False),
    ],
)
def test_open_conversation_may_be_older_than_its_close(
    state: str | None, hours: int | None, *, is_erased: bool, is_earlier: bool
) -> None:
    changed_at = None if hours is None else close_of().closed_at + timedelta(hours=hours)
    found = replace(conversation_of(), state=state, changed_at=changed_at, is_erased=is_erased)
    assert may_predate_close(found, close_of()) is is_earlier
