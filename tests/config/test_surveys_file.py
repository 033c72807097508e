import json
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from config.surveys import (
    CHANNELS,
    Again,
    Ask,
    Rated,
    RatingType,
    Survey,
    SurveySchema,
    SurveysFileError,
    Window,
    dump_terms,
    load_surveys,
    load_terms,
    read_surveys,
)

SHIPPED = Path(__file__).parents[2] / "config" / "surveys.toml"


def mistakes(text: str) -> list[str]:
    with pytest.raises(SurveysFileError) as caught:
        load_surveys(text)
    return str(caught.value).splitlines()


def test_the_shipped_file_says_what_the_defaults_say_save_what_it_says_of_itself() -> None:
    ask = Ask(directions=("Inbound",), without_tags=("no-survey", "spam"), assigned=True)
    assert read_surveys(SHIPPED) == (Survey(delays={"Email": timedelta(hours=24)}, ask=ask),)


def test_a_file_from_before_the_newer_keys_means_what_it_meant() -> None:
    (survey,) = load_surveys(
        """
        [[survey]]
        name = "default"
        rating = "Csat"
        delay = "15m"
        hold = "5m"
        expires = "28d"
        again_after = "30d"
        deliver = ["message"]
        [survey.ask]
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


def test_an_empty_survey_has_the_defaults() -> None:
    assert load_surveys("[[survey]]") == (Survey(),)


def test_everything_can_be_written() -> None:
    (survey,) = load_surveys(
        """
        [[survey]]
        name = "returns-nps"
        rating = ["Nps", "Csat"]
        delay = { Default = "1h 30m", EMAIL = "24h", WidgetChat = "0s" }
        hold = "0s"
        expires = "2w"
        again = "unanswered"
        again_after = "90d"
        reminder = "3d"
        rated = "dixa"
        starts = 2026-12-01
        daily_cap = 200
        deliver = ["message"]
        window = { days = ["mon", "Fri"], from = "09:00", to = "17:30", zone = "Europe/Copenhagen" }
        [survey.ask]
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
        hold=timedelta(),
        expires=timedelta(weeks=2),
        again=Again.UNANSWERED,
        again_after=timedelta(days=90),
        reminder=timedelta(days=3),
        rated=Rated.DIXA,
        starts=datetime(2026, 12, 1, tzinfo=UTC),
        daily_cap=200,
        window=Window((0, 4), time(9), time(17, 30), "Europe/Copenhagen"),
        deliver=("message",),
        ask=Ask(
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


@pytest.mark.parametrize(
    ("line", "key", "way_out"),
    [
        ('name = "Our Survey"', "survey[0].name", "a-z"),
        ("name = 5", "survey[0].name", "string"),
        (f'name = "{"n" * 21}"', "survey[0].name", "1 to 20"),
        ('name = "a\\n"', "survey[0].name", "a-z"),
        ('rating = "Stars"', "survey[0].rating", '"Csat"'),
        ("rating = []", "survey[0].rating", '"Csat"'),
        ("rating = [{}]", "survey[0].rating", '"Csat"'),
        ('rating = ["Csat", "Csat"]', "survey[0].rating", "once"),
        ('delay = "soon"', "survey[0].delay", '"15m"'),
        ("delay = 15", "survey[0].delay", '"15m"'),
        ('delay = "15"', "survey[0].delay", '"15m"'),
        ('delay = "-15m"', "survey[0].delay", '"15m"'),
        ('delay = "15m or so"', "survey[0].delay", '"15m"'),
        ('delay = "\u0661m"', "survey[0].delay", '"15m"'),
        ('delay = "61d"', "survey[0].delay", "60d"),
        ("starts = 0001-01-01T00:00:00+14:00", "survey[0].starts", "Out of range"),
        ('delay = "999999999999999w"', "survey[0].delay", "60d"),
        ('hold = "8d"', "survey[0].hold", "7d"),
        ('expires = "59s"', "survey[0].expires", "60000ms"),
        ('again_after = "3651d"', "survey[0].again_after", "3650d"),
        ("deliver = []", "survey[0].deliver", CHANNELS[0]),
        ('deliver = "message"', "survey[0].deliver", "brackets"),
        ('deliver = ["pigeon"]', "survey[0].deliver", "'pigeon'"),
        ("ask = 5", "survey[0].ask", "Invalid"),
        ('colour = "blue"', "survey[0].colour", "README"),
        ("[survey.ask]\nchannels = 'EMAIL'", "survey[0].ask.channels", "brackets"),
        ("[survey.ask]\nqueues = {a = 1}", "survey[0].ask.queues", "brackets"),
        ("[survey.ask]\nqueues = ['']", "survey[0].ask.queues[0]", "empty"),
        ("[survey.ask]\nwith_tags = [1]", "survey[0].ask.with_tags[0]", "string"),
        ("[survey.ask]\nassigned = 'yes'", "survey[0].ask.assigned", "boolean"),
        ("[survey.ask]\nassigned = []", "survey[0].ask.assigned", "boolean"),
        ("[survey.ask]\nsample = 1.5", "survey[0].ask.sample", "0.0"),
        ("[survey.ask]\nsample = nan", "survey[0].ask.sample", "0.0"),
        ("[survey.ask]\nsample = true", "survey[0].ask.sample", "0.0"),
        ("[survey.ask]\nsample = '1'", "survey[0].ask.sample", "0.0"),
        ("[survey.ask]\ntags = []", "survey[0].ask.tags", "README"),
    ],
)
def test_a_mistake_names_its_key_and_the_way_out(line: str, key: str, way_out: str) -> None:
    (found,) = mistakes(f"[[survey]]\n{line}")
    assert found.startswith(f"  {key}: ")
    assert way_out in found


@pytest.mark.parametrize(
    ("text", "way_out"),
    [
        ("", "[[survey]]"),
        ("survey = []", "[[survey]]"),
        ("[survey]", "double brackets"),
        ("survey = 5", "double brackets"),
        ("survey = [1]", "survey[0]"),
        ("[[survey]]\n[[survey]]", "'default'"),
        ("[[survey]]\n[other]", "other"),
        ("[[survey", "TOML"),
        ("x = " + "9" * 5000, "TOML"),
        ("x = " + "[" * 5000, "TOML"),
        ("[[survey]]\nname = 'a'\nname = 'b'", "TOML"),
    ],
)
def test_a_file_that_is_no_list_of_surveys_is_refused(text: str, way_out: str) -> None:
    (found,) = mistakes(text)
    assert way_out in found


def test_all_mistakes_are_named_at_once() -> None:
    found = mistakes(
        "[[survey]]\nname = ''\ndeliver = ['pigeon']\nexpires = '1s'\n"
        "[[survey]]\nname = 'b'\n[survey.ask]\nsample = 2\nx = 1"
    )
    assert [line.split(": ")[0].strip() for line in found] == [
        "survey[0].name",
        "survey[0].expires",
        "survey[0].deliver",
        "survey[1].ask.sample",
        "survey[1].ask.x",
    ]


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"[[survey]]\ndelay = 1\nhold = 2"])
def test_every_line_about_a_file_begins_with_its_path(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "mine.toml"
    if content:
        path.write_bytes(content)
    with pytest.raises(SurveysFileError) as caught:
        read_surveys(path)
    assert all(line.startswith(f"  {path}") for line in str(caught.value).splitlines())


NAMES = st.lists(st.text(min_size=1)).map(tuple)
SPELLED = st.lists(st.sampled_from(["WidgetChat", "Email", "Inbound"])).map(tuple)
SURVEYS = st.builds(
    Survey,
    name=st.from_regex(r"[a-z0-9][a-z0-9-]{0,19}", fullmatch=True),
    ratings=st.lists(st.sampled_from(RatingType), min_size=1, unique=True).map(tuple),
    delay=st.integers(0, 60 * 86_400_000).map(lambda ms: timedelta(milliseconds=ms)),
    hold=st.integers(0, 7 * 86_400_000).map(lambda ms: timedelta(milliseconds=ms)),
    expires=st.integers(60_000, 365 * 86_400_000).map(lambda ms: timedelta(milliseconds=ms)),
    again_after=st.integers(0, 3650 * 86_400_000).map(lambda ms: timedelta(milliseconds=ms)),
    deliver=st.lists(st.sampled_from(CHANNELS), min_size=1).map(tuple),
    ask=st.builds(
        Ask,
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
def test_terms_come_back_from_a_record_as_they_were(survey: Survey) -> None:
    assert SurveySchema().load(SurveySchema().dump(survey)) == survey
    assert load_terms(dump_terms(survey)) == survey


def test_terms_of_another_version_are_read_without_what_is_unknown() -> None:
    terms = json.loads(dump_terms(Survey()))
    assert load_terms(json.dumps({**terms, "later": 1, "ask": {**terms["ask"], "later": 1}})) == Survey()


KEYS = ["name", "rating", "delay", "hold", "expires", "again_after", "deliver", "ask", "sample", "queues", "x"]
VALUES = ["1", "''", "'15m'", "[]", "{}", "[{}]", "nan", "inf", "true", "1979-05-27", "'Csat'", "{a.b = 1}", "9" * 400]
LINES = st.one_of(
    st.sampled_from(["[[survey]]", "[survey.ask]", "[survey]", "[[survey.ask]]", "survey = 1"]),
    st.builds("{} = {}".format, st.sampled_from(KEYS), st.sampled_from(VALUES)),
    st.text(),
)


@given(st.lists(LINES).map("\n".join) | st.lists(LINES).map(lambda lines: "\n".join(["[[survey]]", *lines])))
def test_whatever_the_file_says_the_answer_is_surveys_or_mistakes(text: str) -> None:
    try:
        surveys = load_surveys(text)
    except SurveysFileError:
        return
    assert surveys
    assert all(isinstance(survey, Survey) for survey in surveys)
