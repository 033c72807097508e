"""What a mistake in surveys.toml is told: where it is, and the way out."""

from pathlib import Path

import pytest

from service.surveys.definition import CHANNELS
from service.surveys.toml.loader import SurveysFileError, load_surveys, read_surveys


def mistakes(text: str) -> list[str]:
    with pytest.raises(SurveysFileError) as caught:
        load_surveys(text)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("line", "key", "way_out"),
    [
        ('name = "Our Survey"', "survey 1: name", "a-z"),
        ("name = 5", "survey 1: name", "in quotes"),
        (f'name = "{"n" * 21}"', "survey 1: name", "1 to 20"),
        ('name = "a\\n"', "survey 1: name", "a-z"),
        ('rating = "Stars"', "survey 1: rating", '"Csat"'),
        ("rating = []", "survey 1: rating", '"Csat"'),
        ("rating = [{}]", "survey 1: rating", '"Csat"'),
        ('rating = ["Csat", "Csat"]', "survey 1: rating", "once"),
        ('delay = "soon"', "survey 1: delay", '"15m"'),
        ("delay = 15", "survey 1: delay", '"15m"'),
        ('delay = "15"', "survey 1: delay", '"15m"'),
        ('delay = "-15m"', "survey 1: delay", '"15m"'),
        ('delay = "15m or so"', "survey 1: delay", '"15m"'),
        ('delay = "\u0661m"', "survey 1: delay", '"15m"'),
        ('delay = "61d"', "survey 1: delay", "60d"),
        ("starts = 0001-01-01T00:00:00+14:00", "survey 1: starts", "Out of range"),
        ('delay = "999999999999999w"', "survey 1: delay", "60d"),
        ('hold = "8d"', "survey 1: hold", "7d"),
        ('expires = "59s"', "survey 1: expires", '"1m"'),
        ('again_after = "3651d"', "survey 1: again_after", "3650d"),
        ("deliver = []", "survey 1: deliver", CHANNELS[0]),
        ('deliver = "message"', "survey 1: deliver", "brackets"),
        ('deliver = ["pigeon"]', "survey 1: deliver", "'pigeon'"),
        ("ask = 5", "survey 1: ask", "[survey.ask]"),
        ('colour = "blue"', "survey 1: colour", "docs/surveys.md"),
        ("[survey.ask]\nchannels = 'EMAIL'", "survey 1: ask.channels", "brackets"),
        ("[survey.ask]\nqueues = {a = 1}", "survey 1: ask.queues", "brackets"),
        ("[survey.ask]\nqueues = ['']", "survey 1: ask.queues 1", "empty"),
        ("[survey.ask]\nwith_tags = [1]", "survey 1: ask.with_tags 1", "in quotes"),
        ("[survey.ask]\nassigned = 'yes'", "survey 1: ask.assigned", "boolean"),
        ("[survey.ask]\nassigned = []", "survey 1: ask.assigned", "boolean"),
        ("[survey.ask]\nsample = 1.5", "survey 1: ask.sample", "0.0"),
        ("[survey.ask]\nsample = nan", "survey 1: ask.sample", "0.0"),
        ("[survey.ask]\nsample = true", "survey 1: ask.sample", "0.0"),
        ("[survey.ask]\nsample = '1'", "survey 1: ask.sample", "0.0"),
        ("[survey.ask]\nzodiac = []", "survey 1: ask.zodiac", "docs/surveys.md"),
        ('again = "sometimes"', "survey 1: again", '"never", "unanswered" or "always"'),
        ("again = true", "survey 1: again", '"never", "unanswered" or "always"'),
        ("again = []", "survey 1: again", '"never", "unanswered" or "always"'),
        ('rated = "agent"', "survey 1: rated", '"assignee" or "dixa"'),
        ('reminder = "0s"', "survey 1: reminder", 'at least "1m"'),
        ('daily_cap = "20"', "survey 1: daily_cap", "without quotes, such as 20"),
        ("daily_cap = -1", "survey 1: daily_cap", "from 0"),
        ("daily_cap = true", "survey 1: daily_cap", "such as 20"),
        ('[[survey.ask]]\nchannels = ["EMAIL"]', "survey 1: ask", "[survey.ask], in single brackets"),
        ('[[survey.window]]\nfrom = "09:00"', "survey 1: window", "[survey.window], in single brackets"),
        ('window = "9-17"', "survey 1: window", "[survey.window], in single brackets"),
        ('[[survey.words.da]]\nsubject = "a"', "survey 1: words.da", "[survey.words.da], in single brackets"),
        ('[[survey.sender]]\nagent = "a"', "survey 1: sender", "[survey.sender]"),
        ("[survey.after]\nscores = [1]", "survey 1: after", "[[survey.after]]"),
        ("after = [1]", "survey 1: after 1", "[[survey.after]], in double brackets"),
        ('window = { from = "09:00", to = "17:00" }', "survey 1: window.zone", 'zone = "Europe/Copenhagen"'),
        ('window = { from = "09:00", zone = "UTC" }', "survey 1: window.to", 'to = "17:00"'),
        ('window = { to = "17:00", zone = "UTC" }', "survey 1: window.from", 'from = "09:00"'),
        ('window = { from = "09:00", to = "24:00", zone = "UTC" }', "survey 1: window.to", '"23:59"'),
        ('window = { from = "09:00", to = "17:00", zone = 5 }', "survey 1: window.zone", "in quotes"),
        ('window = { from = "09:00", to = "17:00", zone = "CEST" }', "survey 1: window.zone", '"Europe/Copenhagen"'),
        ('window = { from = "09:00", to = "17:00", zone = "europe/rome" }', "survey 1: window.zone", '"Europe/Rome"?'),
        ("[survey.ask]\ndirections = ['INCOMING']", "survey 1: ask.directions", '"INBOUND", "OUTBOUND" or both'),
        ("[survey.ask]\ndirections = ['Inbound', 'in']", "survey 1: ask.directions", "no direction 'in'"),
        ("[survey.ask]\ndirections = ['INTERNAL']", "survey 1: ask.directions", "Internal conversations are never"),
        ("[survey.ask]\nuser_types = ['MEMBER']", "survey 1: ask.user_types", "Members of the organisation are never"),
        ("[survey.ask]\naddresses = ['*@a.example']", "survey 1: ask.addresses", '"@example.com" for all of a domain'),
        ("[survey.ask]\nwithout_addresses = ['a.example']", "survey 1: ask.without_addresses", '"@example.com"'),
        ("[survey.ask]\naddresses = ['a@b.example, c@d.example']", "survey 1: ask.addresses", '"ida@example.com"'),
        ("[survey.ask]\naddresses = ['ida@']", "survey 1: ask.addresses", '"ida@example.com"'),
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
        ("survey = [1]", "survey 1: Not a table. Write [[survey]], in double brackets"),
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
    assert [": ".join(line.split(": ")[:2]).strip() for line in found] == [
        "survey 1: name",
        "survey 1: expires",
        "survey 1: deliver",
        'survey "b": ask.sample',
        'survey "b": ask.x',
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            '[survey.ask]\nagain = "always"',
            'ask.again: No such key. Did you mean "again" of [[survey]]? Write it above [survey.ask].',
        ),
        (
            'channels = ["EMAIL"]',
            'channels: No such key. Did you mean "channels" of [survey.ask]? Write it below that line.',
        ),
        (
            'chanels = ["EMAIL"]',
            'chanels: No such key. Did you mean "channels" of [survey.ask]? Write it below that line.',
        ),
        ('remindr = "3d"', 'remindr: No such key. Did you mean "reminder"?'),
        ("[survey.ask]\nquues = []", 'ask.quues: No such key. Did you mean "queues"?'),
        ("[survey.asks]", "asks: No such key. Did you mean [survey.ask]?"),
        ("[survey.ask.window]", "ask.window: No such key. Write it as [survey.window]."),
        (
            '[survey.words.da]\nhold = "0s"',
            'words.da.hold: No such key. Did you mean "hold" of [[survey]]? Write it above [survey.words.da].',
        ),
        ("[[survey.after]]\nscores = [1]\ntags = ['a']", 'after 1: tags: No such key. Did you mean "tag"?'),
        ("DAILY-CAP = 20", 'DAILY-CAP: No such key. Did you mean "daily_cap"?'),
        ('colour = "blue"', "colour: No such key. See the list of keys in docs/surveys.md."),
        ("[survey.ask]\nemail = 'a'", "ask.email: No such key. See the list of keys in docs/surveys.md."),
        ('"" = 1', ": No such key. See the list of keys in docs/surveys.md."),
    ],
)
def test_a_key_that_there_is_not_is_told_what_may_be_meant(text: str, line: str) -> None:
    assert mistakes(f"[[survey]]\n{text}") == [f"  survey 1: {line}"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[[survey]]\n[ask]", "ask: No such key. Write it as [survey.ask]."),
        ("_schema = 1\n[[survey]]", ": No such key. See the list of keys in docs/surveys.md."),
        ("[[survey]]\n[[surveys]]", "surveys: No such key. Did you mean [[survey]]?"),
        (
            'delay = "1h"\n[[survey]]',
            'delay: No such key. Did you mean "delay" of [[survey]]? Write it below that line.',
        ),
    ],
)
def test_so_is_one_outside_of_all_surveys(text: str, line: str) -> None:
    assert mistakes(text) == [f"  {line}"]


@pytest.mark.parametrize(
    ("first", "place"),
    [
        ("name = 'vip'", 'survey "vip": '),
        ("", "survey 1: "),
        ("name = 'b'", "survey 1: "),
        ("name = 'VIP'", "survey 1: "),
        ("name = []", "survey 1: "),
    ],
)
def test_a_survey_is_called_by_its_name_if_that_is_right_and_its_own(first: str, place: str) -> None:
    found = mistakes(f"[[survey]]\n{first}\nhold = 1\n[[survey]]\nname = 'b'\n[[survey]]\nname = 'c'\nhold = 1")
    assert [line for line in found if "hold" in line and line.startswith(f"  {place}hold: ")]
    assert any(line.startswith('  survey "c": hold: ') for line in found)


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"[[survey]]\ndelay = 1\nhold = 2"])
def test_every_line_about_a_file_begins_with_its_path(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "mine.toml"
    if content:
        path.write_bytes(content)
    with pytest.raises(SurveysFileError) as caught:
        read_surveys(path)
    assert all(line.startswith(f"  {path}") for line in str(caught.value).splitlines())
