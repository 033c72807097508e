"""surveys.toml as surveys: each key, the defaults, and the copy in a record."""

from datetime import UTC, datetime, time, timedelta
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from service.records.terms_codec import dump_terms, load_terms
from service.surveys.definition import DELIVERY_CHANNELS, Credit, OnReclose, SendWindow, Survey
from service.surveys.match import Match
from service.surveys.ratings import RatingType
from service.surveys.toml.loader import (
    SurveysFileError,
    load_surveys,
    read_surveys,
)

SHIPPED = Path(__file__).parents[2] / "config" / "surveys.toml"


def test_the_shipped_file_equals_the_defaults_except_where_it_says_so() -> None:
    ask = Match(directions=("Inbound",), without_tags=("no-survey", "spam"), assigned=True)
    assert read_surveys(SHIPPED).surveys == (Survey(delays={"Email": timedelta(hours=24)}, match=ask),)


def test_a_file_without_the_newer_keys_has_their_defaults() -> None:
    (survey,) = load_surveys(
        """
        [[survey]]
        name = "default"
        rating = "Csat"
        delay = "15m"
        editable_for = "5m"
        expires = "28d"
        cooldown = "30d"
        deliver = ["message"]
        [survey.match]
        channels = []
        queues = []
        directions = []
        without_tags = []
        with_tags = []
        assigned = false
        sample = 1.0
        """
    )
    assert survey == Survey()
    assert survey.for_channel("Email").delay == survey.for_channel("WidgetChat").delay == timedelta(minutes=15)


def test_the_file_may_begin_with_a_bom(tmp_path: Path) -> None:
    """Notepad and Excel write a byte order mark."""
    for first in ("", "# Ours\n", "\n"):
        (tmp_path / "surveys.toml").write_text(f'{first}[[survey]]\nname = "vip"\n', encoding="utf-8-sig")
        assert [survey.name for survey in read_surveys(tmp_path / "surveys.toml").surveys] == ["vip"]


def test_an_empty_survey_has_the_defaults() -> None:
    assert load_surveys("[[survey]]") == (Survey(),)


def test_every_key_of_a_survey_is_read() -> None:
    (survey,) = load_surveys(
        """
        [[survey]]
        name = "returns-nps"
        rating = ["Nps", "Csat"]
        delay = { Default = "1h 30m", EMAIL = "24h", WidgetChat = "0s" }
        editable_for = "0s"
        expires = "2w"
        on_reclose = "unanswered"
        cooldown = "90d"
        reminder = "3d"
        credit = "dixa"
        not_before = 2026-12-01
        daily_cap = 200
        deliver = ["message"]
        send_window = { days = ["mon", "Fri"], from = "09:00", to = "17:30", zone = "Europe/Copenhagen" }
        [survey.match]
        channels = ["WIDGET_CHAT", "Email"]
        queues = ["Returns"]
        contact_points = ["help@nordlys.example"]
        directions = ["INBOUND", "Outbound"]
        languages = ["da-DK", "German"]
        user_types = ["CONTACT"]
        assignee_types = ["Member"]
        addresses = ["@Nordlys.example", "ida@example.com"]
        without_addresses = ["@afterword.example"]
        min_customer_messages = 2
        min_agent_messages = 1
        without_tags = []
        with_tags = ["vip"]
        assigned = false
        sample = 0.25
        """
    )
    assert survey == Survey(
        name="returns-nps",
        ratings=(RatingType.NPS, RatingType.CSAT),
        delay=timedelta(minutes=90),
        delays={"Email": timedelta(days=1), "WidgetChat": timedelta()},
        editable_for=timedelta(),
        expires=timedelta(weeks=2),
        on_reclose=OnReclose.UNANSWERED,
        cooldown=timedelta(days=90),
        reminder=timedelta(days=3),
        credit=Credit.DIXA,
        not_before=datetime(2026, 12, 1, tzinfo=UTC),
        daily_cap=200,
        send_window=SendWindow((0, 4), time(9), time(17, 30), "Europe/Copenhagen"),
        deliver=("message",),
        match=Match(
            channels=("WidgetChat", "Email"),
            queues=("Returns",),
            contact_points=("help@nordlys.example",),
            directions=("Inbound", "Outbound"),
            languages=("da", "de"),
            user_types=("Contact",),
            assignee_types=("Member",),
            without_tags=(),
            with_tags=("vip",),
            addresses=("@nordlys.example", "ida@example.com"),
            without_addresses=("@afterword.example",),
            assigned=False,
            min_customer_messages=2,
            min_agent_messages=1,
            sample=0.25,
        ),
    )


NAMES = st.lists(st.text(min_size=1)).map(tuple)
SPELLED = st.lists(st.sampled_from(["WidgetChat", "Email", "Inbound"])).map(tuple)
SURVEYS = st.builds(
    Survey,
    name=st.from_regex(r"[a-z0-9][a-z0-9-]{0,19}", fullmatch=True),
    ratings=st.lists(st.sampled_from(RatingType), min_size=1, unique=True).map(tuple),
    delay=st.integers(0, 60 * 86_400_000).map(lambda ms: timedelta(milliseconds=ms)),
    editable_for=st.integers(0, 7 * 86_400_000).map(lambda ms: timedelta(milliseconds=ms)),
    expires=st.integers(60_000, 365 * 86_400_000).map(lambda ms: timedelta(milliseconds=ms)),
    cooldown=st.integers(0, 3650 * 86_400_000).map(lambda ms: timedelta(milliseconds=ms)),
    deliver=st.lists(st.sampled_from(DELIVERY_CHANNELS), min_size=1).map(tuple),
    match=st.builds(
        Match,
        channels=SPELLED,
        queues=NAMES,
        directions=SPELLED,
        without_tags=NAMES,
        with_tags=NAMES,
        assigned=st.booleans(),
        sample=st.floats(0, 1),
    ),
)


@given(SURVEYS)
@example(Survey())
def test_a_survey_survives_the_terms_codec(survey: Survey) -> None:
    assert load_terms(dump_terms(survey)) == survey


def test_unknown_keys_of_a_record_are_ignored() -> None:
    terms = dump_terms(Survey())
    assert load_terms({**terms, "later": 1, "match": {**terms["match"], "later": 1}}) == Survey()


def test_a_record_may_have_rules_that_the_file_may_not() -> None:
    """An earlier version accepted them, and its surveys are not finished."""
    ask = Match(directions=("Inbound", "Internal"), user_types=("Member",), addresses=("*@a.example", "ida@b.example"))
    assert load_terms(dump_terms(Survey(match=ask))) == Survey(match=ask)


KEYS = ["name", "rating", "delay", "editable_for", "expires", "cooldown", "deliver", "match", "sample", "queues", "x"]
VALUES = ["1", "''", "'15m'", "[]", "{}", "[{}]", "nan", "inf", "true", "1979-05-27", "'Csat'", "{a.b = 1}", "9" * 400]
LINES = st.one_of(
    st.sampled_from(["[[survey]]", "[survey.match]", "[survey]", "[[survey.match]]", "survey = 1"]),
    st.builds("{} = {}".format, st.sampled_from(KEYS), st.sampled_from(VALUES)),
    st.text(),
)


@given(st.lists(LINES).map("\n".join) | st.lists(LINES).map(lambda lines: "\n".join(["[[survey]]", *lines])))
def test_any_text_gives_surveys_or_an_error(text: str) -> None:
    try:
        surveys = load_surveys(text)
    except SurveysFileError:
        return
    assert surveys
    assert all(isinstance(survey, Survey) for survey in surveys)
