"""Who is asked: tables that a support lead can read, and what holds of every close and every file."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.surveys import Ask, Survey, load_surveys
from service.surveys.model import Close, OfferState, Reason
from service.surveys.ports import Conversation, Rating
from service.surveys.rules import Choice, Refusal, choose_survey, find_refusal, is_in_sample


def close_of(conversation_id: int = 48213, **facts: Any) -> Close:
    """An e-mail in the queue Returns, handled by an agent and closed, but for the facts given."""
    usual: dict[str, Any] = {
        "channel": "Email",
        "direction": "Inbound",
        "queue_id": "q-1",
        "queue_name": "Returns",
        "requester_id": "requester",
        "agent_id": "agent",
    }
    return Close(conversation_id, datetime(2026, 11, 20, tzinfo=UTC), **usual | facts)


def survey_of(ask: str = "", name: str = "one") -> Survey:
    """A survey as surveys.toml says it."""
    return load_surveys(f'[[survey]]\nname = "{name}"\n[survey.ask]\n{ask}')[0]


WHO_IS_ASKED: list[tuple[str, str, dict[str, Any], Reason | None]] = [
    # what this line shows               [survey.ask] says              the conversation            the reason, or asked
    ("nothing said: asked", "", {}, None),
    ("its channel", 'channels = ["Email"]', {}, None),
    ("its channel in capitals", 'channels = ["EMAIL"]', {}, None),
    ("two words in capitals", 'channels = ["WIDGET_CHAT"]', {"channel": "WidgetChat"}, None),
    ("two words as the API", 'channels = ["WidgetChat"]', {"channel": "WidgetChat"}, None),
    ("one of several channels", 'channels = ["SMS", "Email"]', {}, None),
    ("another channel", 'channels = ["WHATS_APP"]', {}, Reason.CHANNEL),
    ("an unknown channel", 'channels = ["Email"]', {"channel": None}, Reason.CHANNEL),
    ("any channel, even an unknown one", "channels = []", {"channel": None}, None),
    ("its queue by name", 'queues = ["Returns"]', {}, None),
    ("its queue by id", 'queues = ["q-1"]', {}, None),
    ("another queue", 'queues = ["Sales"]', {}, Reason.QUEUE),
    ("no queue", 'queues = ["Returns"]', {"queue_id": None, "queue_name": None}, Reason.QUEUE),
    ("any queue, even none", "queues = []", {"queue_id": None, "queue_name": None}, None),
    ("outbound, by default", "", {"direction": "Outbound"}, Reason.DIRECTION),
    ("outbound, wanted", 'directions = ["OUTBOUND"]', {"direction": "Outbound"}, None),
    ("outbound, as the API spells it", 'directions = ["Outbound"]', {"direction": "Outbound"}, None),
    ("either direction", "directions = []", {"direction": "Outbound"}, None),
    ("no direction known", "", {"direction": None}, Reason.DIRECTION),
    ("an unwanted tag, by default", "", {"tags": ("spam",)}, Reason.TAG_EXCLUDED),
    ("an unwanted tag in capitals", "", {"tags": ("No-Survey",)}, Reason.TAG_EXCLUDED),
    ("an unwanted tag, in the file in capitals", 'without_tags = ["VIP"]', {"tags": ("vip",)}, Reason.TAG_EXCLUDED),
    ("an unwanted tag among others", "", {"tags": ("a", "SPAM", "b")}, Reason.TAG_EXCLUDED),
    ("a tag that only contains it", "", {"tags": ("spam?",)}, None),
    ("a tag, all wanted", "without_tags = []", {"tags": ("spam",)}, None),
    ("the wanted tag", 'with_tags = ["survey"]', {"tags": ("Survey",)}, None),
    ("the wanted tag, sharp s", 'with_tags = ["STRASSE"]', {"tags": ("straße",)}, None),
    ("one of two wanted tags", 'with_tags = ["a", "b"]', {"tags": ("a",)}, Reason.TAG_MISSING),
    ("both wanted tags", 'with_tags = ["a", "b"]', {"tags": ("b", "a")}, None),
    ("no wanted tag", 'with_tags = ["a"]', {}, Reason.TAG_MISSING),
    ("no agent", "", {"agent_id": None}, Reason.UNASSIGNED),
    ("no agent needed", "assigned = false", {"agent_id": None}, None),
    ("nobody is in no sample", "sample = 0.0", {}, Reason.NOT_SAMPLED),
    ("everybody is in a whole one", "sample = 1", {}, None),
    ("the first objection is the reason", 'channels = ["Sms"]\nsample = 0', {"agent_id": None}, Reason.CHANNEL),
    ("an unwanted tag counts before a missing one", 'with_tags = ["a"]', {"tags": ("spam",)}, Reason.TAG_EXCLUDED),
]


@pytest.mark.parametrize(
    ("ask", "facts", "reason"), [line[1:] for line in WHO_IS_ASKED], ids=[line[0] for line in WHO_IS_ASKED]
)
def test_who_is_asked(ask: str, facts: dict[str, Any], reason: Reason | None) -> None:
    survey = survey_of(ask)
    assert choose_survey(close_of(**facts), [survey]) == Choice(None if reason else survey, reason)


EMAIL, CHAT, ALL = survey_of('channels = ["Email"]'), survey_of('channels = ["WidgetChat"]'), survey_of()
VIP = survey_of('with_tags = ["vip"]')


@pytest.mark.parametrize(
    ("surveys", "facts", "choice"),
    [
        pytest.param([EMAIL, ALL], {}, Choice(EMAIL), id="the first that matches"),
        pytest.param([ALL, EMAIL], {}, Choice(ALL), id="not the most special one"),
        pytest.param([CHAT, VIP, ALL], {}, Choice(ALL), id="the last when those before don't match"),
        pytest.param([CHAT, CHAT], {}, Choice(None, Reason.CHANNEL), id="the reason that all share"),
        pytest.param([CHAT, VIP], {}, Choice(None, Reason.NO_SURVEY_MATCHES), id="different reasons"),
        pytest.param([EMAIL, ALL], {"agent_id": None}, Choice(None, Reason.UNASSIGNED), id="no agent, for all"),
        pytest.param([], {}, Choice(None, Reason.NO_SURVEY_MATCHES), id="no survey at all"),
    ],
)
def test_the_first_survey_that_matches_is_used(surveys: list[Survey], facts: dict[str, Any], choice: Choice) -> None:
    assert choose_survey(close_of(**facts), surveys) == choice


NAMES = st.sampled_from(["Email", "WidgetChat", "Returns", "q-1", "Inbound", "spam", "SPAM", "ß"]) | st.text(max_size=5)
LISTS = st.lists(NAMES, max_size=3).map(tuple)
ASKS = st.builds(
    Ask,
    channels=LISTS,
    queues=LISTS,
    directions=LISTS,
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
    agent_id=st.none() | NAMES,
    tags=LISTS,
)


@given(CLOSES, st.lists(st.builds(Survey, ask=ASKS), max_size=4))
def test_every_close_has_one_choice_and_always_the_same(close: Close, surveys: list[Survey]) -> None:
    choice = choose_survey(close, surveys)
    assert (choice.survey is None) is (choice.reason is not None)
    assert choice.survey is None or choice.survey in surveys
    assert choose_survey(close, list(surveys)) == choice


@given(CLOSES, st.builds(Survey, name=st.just("a"), ask=ASKS), st.builds(Survey, name=st.just("b"), ask=ASKS))
def test_a_survey_is_used_only_when_none_before_it_matches(close: Close, first: Survey, second: Survey) -> None:
    alone = choose_survey(close, [first]).survey or choose_survey(close, [second]).survey
    assert choose_survey(close, [first, second]).survey == alone


@given(st.integers(1, 2**63 - 1), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_sample_asks_all_of_a_smaller_one(conversation_id: int, one: float, other: float) -> None:
    smaller, larger = sorted((one, other))
    assert not is_in_sample(conversation_id, smaller) or is_in_sample(conversation_id, larger)


@given(st.integers(1, 2**63 - 1))
def test_a_sample_of_0_asks_nobody_and_one_of_1_asks_everybody(conversation_id: int) -> None:
    assert not is_in_sample(conversation_id, 0)
    assert is_in_sample(conversation_id, 1)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("first", [1, 48_201, 2**31], ids=["ids from 1", "from 48201", "from 2^31"])
def test_the_share_is_honoured_over_many_conversations(share: float, first: int) -> None:
    asked = sum(is_in_sample(conversation_id, share) for conversation_id in range(first, first + 20_000))
    # Four standard deviations: these draws are always the same ones.
    assert abs(asked / 20_000 - share) < 4 * (share * (1 - share) / 20_000) ** 0.5


def conversation_of(**facts: Any) -> Conversation:
    return Conversation(48213, "Email", "requester", **{"state": "Closed"} | facts)


OURS, OTHERS = "ours", "others"
REOPENED = Refusal(OfferState.CANCELLED, Reason.REOPENED)
ERASED = Refusal(OfferState.CANCELLED, Reason.ERASED)
SURVEYED = Refusal(OfferState.SKIPPED, Reason.ALREADY_SURVEYED)


@pytest.mark.parametrize(
    ("facts", "ratings", "refusal"),
    [
        pytest.param({}, [], None, id="closed and never asked"),
        pytest.param({"state": None}, [], None, id="a state that Dixa doesn't tell"),
        pytest.param({"state": "Open"}, [], REOPENED, id="open again"),
        pytest.param({"state": "Pending"}, [], REOPENED, id="pending"),
        pytest.param({"state": "AwaitingPending"}, [], REOPENED, id="awaiting pending"),
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
    facts: dict[str, Any], ratings: list[tuple[str, str]], refusal: Refusal | None
) -> None:
    seen = [Rating(rating_id, "Csat", status) for rating_id, status in ratings]
    assert find_refusal(conversation_of(**facts), seen, [OURS]) == refusal
