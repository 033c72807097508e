"""Properties of matching for every close and every set of surveys."""

from hypothesis import given, settings
from hypothesis import strategies as st

from service.rules.matching import (
    DixaFacts,
    choose_at_close,
    choose_when_due,
    has_open_rules,
)
from service.surveys.definition import Survey
from service.surveys.match import Match
from service.surveys.model import Close
from tests.rules.examples import BOT_IN, BOT_OUT, IN, OUR_OWN, OUT, close_of, facts_of

NAMES = st.sampled_from(["Email", "WidgetChat", "Returns", "q-1", "Inbound", "spam", "SPAM", "ß"]) | st.text(max_size=5)
LISTS = st.lists(NAMES, max_size=3).map(tuple)
MATCHES = st.builds(
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
FACTS = st.builds(
    facts_of,
    language=st.none() | NAMES,
    tags=st.none() | LISTS,
    messages=st.none() | st.lists(st.sampled_from([IN, OUT, BOT_IN, BOT_OUT, OUR_OWN]), max_size=4).map(tuple),
)


@settings(max_examples=60)
@given(CLOSES, st.lists(st.builds(Survey, match=MATCHES), max_size=4))
def test_every_close_has_exactly_one_stable_choice(close: Close, surveys: list[Survey]) -> None:
    choice = choose_at_close(close, surveys)
    assert (not choice.candidates) is (choice.reason is not None)
    assert all(survey in surveys for survey in choice.candidates)
    assert choose_at_close(close, list(surveys)) == choice


@settings(max_examples=60)
@given(CLOSES, FACTS, st.lists(st.builds(Survey, match=MATCHES), max_size=4))
def test_every_due_survey_has_exactly_one_stable_choice(close: Close, facts: DixaFacts, surveys: list[Survey]) -> None:
    candidates = choose_at_close(close, surveys).candidates
    choice = choose_when_due(close, candidates, facts)
    assert len(choice.candidates) == (0 if choice.reason else 1)
    assert all(survey in candidates for survey in choice.candidates)
    assert choose_when_due(close, list(candidates), facts) == choice


@settings(max_examples=60)
@given(CLOSES, st.builds(Survey, name=st.just("a"), match=MATCHES), st.builds(Survey, name=st.just("b"), match=MATCHES))
def test_survey_is_used_only_if_no_earlier_survey_matches(close: Close, first: Survey, second: Survey) -> None:
    alone = choose_at_close(close, [first]).candidates or choose_at_close(close, [second]).candidates
    assert choose_at_close(close, [first, second]).candidates[:1] == alone[:1]


@settings(max_examples=60)
@given(CLOSES, st.lists(st.builds(Survey, match=MATCHES), max_size=4))
def test_all_candidates_but_the_last_have_open_rules(close: Close, surveys: list[Survey]) -> None:
    candidates = choose_at_close(close, surveys).candidates
    assert all(has_open_rules(close, survey) for survey in candidates[:-1])
