"""Tables of matching rules, readable for a support lead, and properties of every close and file."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.rules.matching import (
    DixaFacts,
    Exclusion,
    NeededLookups,
    choose_at_close,
    choose_when_due,
    find_exclusion,
    has_open_rules,
    is_in_sample,
    may_predate_close,
    needed_lookups,
)
from service.surveys.definition import Survey
from service.surveys.match import Match
from service.surveys.model import Close
from service.surveys.ports import Conversation, Message, Rating
from service.surveys.reasons import Reason
from service.surveys.states import Verdict
from service.surveys.toml.loader import load_surveys


def close_of(conversation_id: int = 48213, **facts: Any) -> Close:
    """An e-mail in the queue Returns, handled by an agent and closed, but for the facts given."""
    usual: dict[str, Any] = {
        "channel": "Email",
        "direction": "Inbound",
        "queue_id": "q-1",
        "queue_name": "Returns",
        "contact_point": "help@nordlys.example",
        "requester_id": "requester",
        "user_type": "Contact",
        "agent_id": "agent",
        "assignee_type": "Member",
        "email": "ida@example.com",
    }
    return Close(conversation_id, datetime(2026, 11, 20, tzinfo=UTC), **usual | facts)


def survey_of(ask: str = "", name: str = "one", terms: str = "") -> Survey:
    """A survey as surveys.toml says it."""
    return load_surveys(f'[[survey]]\nname = "{name}"\n{terms}\n[survey.match]\n{ask}')[0]


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


def message_of(direction: str, *, at: int = 0, external_id: str | None = None, is_automated: bool = False) -> Message:
    moment = datetime(2026, 11, 20, tzinfo=UTC) + timedelta(minutes=at)
    return Message("m", external_id, direction, is_automated, moment)


IN, OUT = message_of("Inbound"), message_of("Outbound")
BOT_IN, BOT_OUT = message_of("Inbound", is_automated=True), message_of("Outbound", is_automated=True)
OUR_OWN = message_of("Outbound", external_id="afterword-48213")

WHO_IS_ASKED_WHEN_DUE: list[tuple[str, str, dict[str, Any], Reason | None]] = [
    # case                               [survey.match] says               Dixa says              the reason, or asked
    ("nothing more to know", "", {}, None),
    ("its language", 'languages = ["da"]', {"language": "da"}, None),
    ("its language by name", 'languages = ["Danish"]', {"language": "da-DK"}, None),
    ("one of several languages", 'languages = ["en", "da"]', {"language": "da"}, None),
    ("another language", 'languages = ["da"]', {"language": "de"}, Reason.LANGUAGE),
    ("a language that isn't ours", 'languages = ["da"]', {"language": "ja"}, Reason.LANGUAGE),
    ("an unknown language", 'languages = ["da"]', {"language": None}, Reason.LANGUAGE),
    ("an unwanted tag", 'without_tags = ["spam"]', {"tags": ("Spam",)}, Reason.TAG_EXCLUDED),
    ("no unwanted tag", 'without_tags = ["spam"]', {"tags": ("vip",)}, None),
    ("the wanted tag", 'with_tags = ["vip"]', {"tags": ("VIP",)}, None),
    ("no wanted tag", 'with_tags = ["vip"]', {"tags": ()}, Reason.TAG_MISSING),
    ("enough from the customer", "min_customer_messages = 2", {"messages": (IN, OUT, IN)}, None),
    ("too few from the customer", "min_customer_messages = 2", {"messages": (IN, OUT)}, Reason.FEW_CUSTOMER_MESSAGES),
    (
        "a machine isn't the customer",
        "min_customer_messages = 1",
        {"messages": (BOT_IN,)},
        Reason.FEW_CUSTOMER_MESSAGES,
    ),
    ("enough from an agent", "min_agent_messages = 1", {"messages": (IN, OUT)}, None),
    ("too few from an agent", "min_agent_messages = 1", {"messages": (IN, IN)}, Reason.FEW_AGENT_MESSAGES),
    ("a bot isn't an agent", "min_agent_messages = 1", {"messages": (IN, BOT_OUT)}, Reason.FEW_AGENT_MESSAGES),
    ("nor are we", "min_agent_messages = 1", {"messages": (IN, OUR_OWN)}, Reason.FEW_AGENT_MESSAGES),
]


@pytest.mark.parametrize(
    ("ask", "said", "reason"),
    [line[1:] for line in WHO_IS_ASKED_WHEN_DUE],
    ids=[line[0] for line in WHO_IS_ASKED_WHEN_DUE],
)
def test_who_is_asked_when_it_is_due(ask: str, said: dict[str, Any], reason: Reason | None) -> None:
    survey = survey_of(ask)
    close = close_of(tags=None)
    assert choose_at_close(close, [survey]).candidates == (survey,)
    choice = choose_when_due(close, [survey], seen_of(**said))
    assert choice.candidates == (() if reason else (survey,))
    assert choice.reason is reason


UNTOLD: list[tuple[str, str, dict[str, str | None], Reason | None]] = [
    # case                     the survey asks               Dixa says when it is due     why not
    ("that channel", 'channels = ["Email"]', {}, None),
    ("another channel", 'channels = ["Sms"]', {}, Reason.CHANNEL),
    ("that direction", 'directions = ["Inbound"]', {"direction": "Inbound"}, None),
    ("another direction", 'directions = ["Inbound"]', {"direction": "Outbound"}, Reason.DIRECTION),
    ("not even Dixa knows", 'directions = ["Inbound"]', {"direction": None}, Reason.DIRECTION),
]


@pytest.mark.parametrize(("ask", "said", "reason"), [line[1:] for line in UNTOLD], ids=[line[0] for line in UNTOLD])
def test_what_the_webhook_does_not_tell_is_looked_up(ask: str, said: dict[str, Any], reason: Reason | None) -> None:
    survey, close = survey_of(ask), close_of(channel=None, direction=None)
    assert choose_at_close(close, [survey]).candidates == (survey,)
    assert has_open_rules(close, survey)
    choice = choose_when_due(close, [survey], DixaFacts(conversation_of(**said), (), ()))
    assert choice.reason is reason


def test_samples_of_two_surveys_are_independent() -> None:
    one, other = (replace(survey_of("sample = 0.5"), name=name) for name in ("one", "other"))
    drawn = [choose_at_close(close_of(number), [one, other]).candidates for number in range(1, 2001)]
    shares = [sum(found[:1] == (each,) for found in drawn) / 2000 for each in (one, other)]
    assert abs(shares[0] - 0.5) < 0.05
    assert abs(shares[1] - 0.25) < 0.05


def seen_of(*, language: str | None = None, **said: Any) -> DixaFacts:
    return DixaFacts(conversation_of(language=language), **{"tags": (), "messages": ()} | said)


@pytest.mark.parametrize(
    ("ask", "tags", "looks"),
    [
        pytest.param("", (), NeededLookups(), id="the webhook says all"),
        pytest.param(
            'without_tags = ["spam"]', None, NeededLookups(tags=True), id="it told no tags, and some are unwanted"
        ),
        pytest.param("", None, NeededLookups(), id="it told no tags, and none matter"),
        pytest.param('with_tags = ["vip"]', ("vip",), NeededLookups(), id="it told the tags"),
        pytest.param("min_agent_messages = 1", (), NeededLookups(messages=True), id="an agent must have written"),
        pytest.param(
            "min_customer_messages = 1", (), NeededLookups(messages=True), id="the customer must have written"
        ),
        pytest.param('languages = ["da"]', (), NeededLookups(), id="the conversation itself tells its language"),
    ],
)
def test_dixa_is_asked_no_more_than_the_rules_need(
    ask: str, tags: tuple[str, ...] | None, looks: NeededLookups
) -> None:
    assert needed_lookups(close_of(), [survey_of()]) == NeededLookups()
    assert needed_lookups(close_of(tags=tags), [survey_of(ask)]) == looks


DANISH = survey_of('languages = ["da"]', "danish")
GERMAN = survey_of('languages = ["de"]', "german")
LONG = survey_of("min_agent_messages = 2", "long")


@pytest.mark.parametrize(
    ("surveys", "candidates", "language", "taken"),
    [
        pytest.param(["danish", "all"], ["danish", "all"], "da", "danish", id="its language"),
        pytest.param(["danish", "all"], ["danish", "all"], "sv", "all", id="none of them: the one for all"),
        pytest.param(["all", "danish"], ["all"], "da", "all", id="the one for all comes first"),
        pytest.param(["danish", "chat", "german"], ["danish", "german"], "de", "german", id="not the chat's"),
        pytest.param(["danish", "german"], ["danish", "german"], "fr", Reason.LANGUAGE, id="no language fits"),
        pytest.param(["danish", "long"], ["danish", "long"], "fr", Reason.NO_SURVEY_MATCHES, id="different mismatches"),
    ],
)
def test_the_language_decides_when_it_is_known(
    surveys: list[str], candidates: list[str], language: str, taken: str | Reason
) -> None:
    known = {"danish": DANISH, "german": GERMAN, "long": LONG, "all": survey_of(name="all")}
    known["chat"] = survey_of('channels = ["WidgetChat"]', "chat")
    early = choose_at_close(close_of(), [known[name] for name in surveys])
    assert [each.name for each in early.candidates] == candidates
    late = choose_when_due(close_of(), early.candidates, seen_of(language=language))
    found = late.reason or next(each.name for each in late.candidates)
    assert found == taken


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


NAMES = st.sampled_from(["Email", "WidgetChat", "Returns", "q-1", "Inbound", "spam", "SPAM", "ß"]) | st.text(max_size=5)
LISTS = st.lists(NAMES, max_size=3).map(tuple)
ASKS = st.builds(
    Match,
    channels=LISTS,
    queues=LISTS,
    contact_points=LISTS,
    directions=LISTS,
    languages=LISTS,
    user_types=LISTS,
    assignee_types=LISTS,
    addresses=LISTS,
    without_addresses=LISTS,
    min_customer_messages=st.integers(0, 2),
    min_agent_messages=st.integers(0, 2),
    without_tags=LISTS,
    with_tags=LISTS,
    assigned=st.booleans(),
    sample=st.floats(0, 1),
)
CLOSES = st.builds(
    close_of,
    st.integers(1, 2**63 - 1),
    channel=st.none() | NAMES,
    direction=st.none() | NAMES,
    queue_id=st.none() | NAMES,
    queue_name=st.none() | NAMES,
    contact_point=st.none() | NAMES,
    user_type=st.none() | NAMES,
    assignee_type=st.none() | NAMES,
    agent_id=st.none() | NAMES,
    email=st.none() | NAMES,
    tags=st.none() | LISTS,
)
SEEN = st.builds(
    seen_of,
    language=st.none() | NAMES,
    tags=st.none() | LISTS,
    messages=st.none() | st.lists(st.sampled_from([IN, OUT, BOT_IN, BOT_OUT, OUR_OWN]), max_size=4).map(tuple),
)


@given(CLOSES, st.lists(st.builds(Survey, match=ASKS), max_size=4))
def test_every_close_has_one_choice_and_always_the_same(close: Close, surveys: list[Survey]) -> None:
    choice = choose_at_close(close, surveys)
    assert (not choice.candidates) is (choice.reason is not None)
    assert all(survey in surveys for survey in choice.candidates)
    assert choose_at_close(close, list(surveys)) == choice


@given(CLOSES, SEEN, st.lists(st.builds(Survey, match=ASKS), max_size=4))
def test_every_due_survey_has_one_choice_and_always_the_same(
    close: Close, seen: DixaFacts, surveys: list[Survey]
) -> None:
    candidates = choose_at_close(close, surveys).candidates
    choice = choose_when_due(close, candidates, seen)
    assert len(choice.candidates) == (0 if choice.reason else 1)
    assert all(survey in candidates for survey in choice.candidates)
    assert choose_when_due(close, list(candidates), seen) == choice


@given(CLOSES, st.builds(Survey, name=st.just("a"), match=ASKS), st.builds(Survey, name=st.just("b"), match=ASKS))
def test_a_survey_is_used_only_when_none_before_it_matches(close: Close, first: Survey, second: Survey) -> None:
    alone = choose_at_close(close, [first]).candidates or choose_at_close(close, [second]).candidates
    assert choose_at_close(close, [first, second]).candidates[:1] == alone[:1]


@given(CLOSES, st.lists(st.builds(Survey, match=ASKS), max_size=4))
def test_only_the_last_candidate_is_sure(close: Close, surveys: list[Survey]) -> None:
    candidates = choose_at_close(close, surveys).candidates
    assert all(has_open_rules(close, survey) for survey in candidates[:-1])


@given(st.integers(1, 2**63 - 1), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_sample_asks_all_of_a_smaller_one(conversation_id: int, one: float, other: float) -> None:
    smaller, larger = sorted((one, other))
    assert not is_in_sample(conversation_id, smaller, "all") or is_in_sample(conversation_id, larger, "all")


@given(st.integers(1, 2**63 - 1))
def test_sample_of_0_is_nobody_and_of_1_everybody(conversation_id: int) -> None:
    assert not is_in_sample(conversation_id, 0, "all")
    assert is_in_sample(conversation_id, 1, "all")


@pytest.mark.parametrize("share", [0.01, 0.1, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("first", [1, 48_201, 2**31], ids=["ids from 1", "from 48201", "from 2^31"])
def test_the_share_is_honoured_over_many_conversations(share: float, first: int) -> None:
    asked = sum(is_in_sample(conversation_id, share, "all") for conversation_id in range(first, first + 20_000))
    # Four standard deviations: these draws are always the same ones.
    assert abs(asked / 20_000 - share) < 4 * (share * (1 - share) / 20_000) ** 0.5


def conversation_of(**facts: Any) -> Conversation:
    return Conversation(48213, "Email", "requester", **{"state": "Closed"} | facts)


OURS, OTHERS = "ours", "others"
REOPENED = Exclusion(Verdict.CANCEL, Reason.REOPENED)
ERASED = Exclusion(Verdict.CANCEL, Reason.ERASED)
INTERNAL = Exclusion(Verdict.SKIP, Reason.INTERNAL)
ASIDE = Exclusion(Verdict.SKIP, Reason.SIDE_CONVERSATION)
SURVEYED = Exclusion(Verdict.SKIP, Reason.ALREADY_SURVEYED)


@pytest.mark.parametrize(
    ("facts", "ratings", "refusal"),
    [
        pytest.param({}, [], None, id="closed and never asked"),
        pytest.param({"state": None}, [], None, id="a state that Dixa doesn't tell"),
        pytest.param({"state": "Open"}, [], REOPENED, id="open again"),
        pytest.param({"state": "Pending"}, [], REOPENED, id="pending"),
        pytest.param({"state": "AwaitingPending"}, [], REOPENED, id="awaiting pending"),
        pytest.param({"direction": "Internal"}, [], INTERNAL, id="among colleagues"),
        pytest.param({"direction": "Outbound"}, [], None, id="outbound is a matter of the file"),
        pytest.param({"link": "SideConversation"}, [], ASIDE, id="a side conversation"),
        pytest.param({"link": "EmailForward"}, [], ASIDE, id="forwarded to somebody else"),
        pytest.param({"link": "FollowUp"}, [], None, id="a follow-up is the customer's own"),
        pytest.param({"link": "SomethingNew"}, [], None, id="a link that we don't know"),
        pytest.param({"link": "SideConversation", "state": "Open"}, [], REOPENED, id="open counts before aside"),
        pytest.param({"is_erased": True}, [], ERASED, id="erased"),
        pytest.param({"is_erased": True, "state": "Open"}, [], ERASED, id="erased counts before open"),
        pytest.param({}, [(OTHERS, "Scheduled")], SURVEYED, id="Dixa is about to ask"),
        pytest.param({}, [(OTHERS, "Offered")], SURVEYED, id="Dixa has asked"),
        pytest.param({}, [(OTHERS, "Rated")], SURVEYED, id="Dixa was answered"),
        pytest.param({}, [(OTHERS, "Cancelled")], None, id="Dixa has given up asking"),
        pytest.param({}, [(OTHERS, "Unscheduled")], None, id="Dixa won't ask"),
        pytest.param({}, [(OTHERS, "SomethingNew")], None, id="a status that we don't know"),
        pytest.param({}, [(OURS, "Offered")], None, id="we have asked"),
        pytest.param({}, [(OURS, "Rated")], None, id="we were answered"),
        pytest.param({}, [(OURS, "Offered"), (OTHERS, "Cancelled")], None, id="ours, and one given up"),
        pytest.param({}, [(OURS, "Offered"), (OTHERS, "Offered")], SURVEYED, id="ours, and another's"),
        pytest.param({"state": "Open"}, [(OTHERS, "Rated")], REOPENED, id="open counts before asked"),
    ],
)
def test_what_dixa_says_right_before_the_offer(
    facts: dict[str, Any], ratings: list[tuple[str, str]], refusal: Exclusion | None
) -> None:
    seen = [Rating(rating_id, "Csat", status) for rating_id, status in ratings]
    assert find_exclusion(conversation_of(**facts), seen, [OURS]) == refusal


def test_a_due_survey_is_the_first_of_those_that_match() -> None:
    surveys = [survey_of(name="one"), survey_of(name="other")]
    assert choose_when_due(close_of(), surveys, seen_of()).candidates == (surveys[0],)


@pytest.mark.parametrize(("email", "fact"), [("bo@example.com", "another address"), (None, "no address")])
def test_a_mismatch_of_the_address_shows_whether_there_is_one(email: str | None, fact: str) -> None:
    choice = choose_at_close(close_of(email=email), [survey_of('addresses = ["ida@example.com"]')])
    assert [each.fact for each in choice.mismatches] == [fact]


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
def test_an_open_conversation_may_be_older_than_its_close(
    state: str | None, hours: int | None, *, is_erased: bool, is_earlier: bool
) -> None:
    changed_at = None if hours is None else close_of().closed_at + timedelta(hours=hours)
    found = replace(conversation_of(), state=state, changed_at=changed_at, is_erased=is_erased)
    assert may_predate_close(found, close_of()) is is_earlier
