"""Errors of surveys.toml: the place, and a fix."""

from pathlib import Path

import pytest

from service.surveys.definition import DELIVERY_CHANNELS
from service.surveys.toml.errors import RENAMED
from service.surveys.toml.loader import SurveysFileError, load_surveys, read_surveys


def mistakes(text: str) -> list[str]:
    with pytest.raises(SurveysFileError) as caught:
        load_surveys(text)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("line", "key", "fix"),
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
        ("not_before = 0001-01-01T00:00:00+14:00", "survey 1: not_before", "Out of range"),
        ('delay = "999999999999999w"', "survey 1: delay", "60d"),
        ('editable_for = "8d"', "survey 1: editable_for", "7d"),
        ('expires = "59s"', "survey 1: expires", '"1m"'),
        ('cooldown = "3651d"', "survey 1: cooldown", "3650d"),
        ("deliver = []", "survey 1: deliver", DELIVERY_CHANNELS[0]),
        ('deliver = "message"', "survey 1: deliver", "brackets"),
        ('deliver = ["pigeon"]', "survey 1: deliver", "'pigeon'"),
        ("match = 5", "survey 1: match", "[survey.match]"),
        ('colour = "blue"', "survey 1: colour", "docs/surveys.md"),
        ("[survey.match]\nchannels = 'EMAIL'", "survey 1: match.channels", "brackets"),
        ("[survey.match]\nqueues = {a = 1}", "survey 1: match.queues", "brackets"),
        ("[survey.match]\nqueues = ['']", "survey 1: match.queues 1", "empty"),
        ("[survey.match]\nwith_tags = [1]", "survey 1: match.with_tags 1", "in quotes"),
        ("[survey.match]\nassigned = 'yes'", "survey 1: match.assigned", "boolean"),
        ("[survey.match]\nassigned = []", "survey 1: match.assigned", "boolean"),
        ("[survey.match]\nsample = 1.5", "survey 1: match.sample", "0.0"),
        ("[survey.match]\nsample = nan", "survey 1: match.sample", "0.0"),
        ("[survey.match]\nsample = true", "survey 1: match.sample", "0.0"),
        ("[survey.match]\nsample = '1'", "survey 1: match.sample", "0.0"),
        ("[survey.match]\nzodiac = []", "survey 1: match.zodiac", "docs/surveys.md"),
        ('on_reclose = "sometimes"', "survey 1: on_reclose", '"never", "unanswered" or "always"'),
        ("on_reclose = true", "survey 1: on_reclose", '"never", "unanswered" or "always"'),
        ("on_reclose = []", "survey 1: on_reclose", '"never", "unanswered" or "always"'),
        ('credit = "agent"', "survey 1: credit", '"assignee" or "dixa"'),
        ('reminder = "0s"', "survey 1: reminder", 'at least "1m"'),
        ('daily_cap = "20"', "survey 1: daily_cap", "without quotes, such as 20"),
        ("daily_cap = -1", "survey 1: daily_cap", "from 0"),
        ("daily_cap = true", "survey 1: daily_cap", "such as 20"),
        ('[[survey.match]]\nchannels = ["EMAIL"]', "survey 1: match", "[survey.match], in single brackets"),
        ('[[survey.send_window]]\nfrom = "09:00"', "survey 1: send_window", "[survey.send_window], in single brackets"),
        ('send_window = "9-17"', "survey 1: send_window", "[survey.send_window], in single brackets"),
        ('[[survey.words.da]]\nsubject = "a"', "survey 1: words.da", "[survey.words.da], in single brackets"),
        ('[[survey.sender]]\nagent = "a"', "survey 1: sender", "[survey.sender]"),
        ("[survey.on_answer]\nscores = [1]", "survey 1: on_answer", "[[survey.on_answer]]"),
        ("on_answer = [1]", "survey 1: on_answer 1", "[[survey.on_answer]], in double brackets"),
        ('send_window = { from = "09:00", to = "17:00" }', "survey 1: send_window.zone", 'zone = "Europe/Copenhagen"'),
        ('send_window = { from = "09:00", zone = "UTC" }', "survey 1: send_window.to", 'to = "17:00"'),
        ('send_window = { to = "17:00", zone = "UTC" }', "survey 1: send_window.from", 'from = "09:00"'),
        ('send_window = { from = "09:00", to = "24:00", zone = "UTC" }', "survey 1: send_window.to", '"23:59"'),
        ('send_window = { from = "09:00", to = "17:00", zone = 5 }', "survey 1: send_window.zone", "in quotes"),
        (
            'send_window = { from = "09:00", to = "17:00", zone = "CEST" }',
            "survey 1: send_window.zone",
            '"Europe/Copenhagen"',
        ),
        (
            'send_window = { from = "09:00", to = "17:00", zone = "europe/rome" }',
            "survey 1: send_window.zone",
            '"Europe/Rome"?',
        ),
        ("[survey.match]\ndirections = ['INCOMING']", "survey 1: match.directions", '"INBOUND", "OUTBOUND" or both'),
        ("[survey.match]\ndirections = ['Inbound', 'in']", "survey 1: match.directions", "no direction 'in'"),
        ("[survey.match]\ndirections = ['INTERNAL']", "survey 1: match.directions", "Internal conversations are never"),
        (
            "[survey.match]\nuser_types = ['MEMBER']",
            "survey 1: match.user_types",
            "Members of the organisation are never",
        ),
        (
            "[survey.match]\naddresses = ['*@a.example']",
            "survey 1: match.addresses",
            '"@example.com" for all of a domain',
        ),
        ("[survey.match]\nwithout_addresses = ['a.example']", "survey 1: match.without_addresses", '"@example.com"'),
        ("[survey.match]\naddresses = ['a@b.example, c@d.example']", "survey 1: match.addresses", '"ida@example.com"'),
        ("[survey.match]\naddresses = ['ida@']", "survey 1: match.addresses", '"ida@example.com"'),
    ],
)
def test_an_error_names_key_and_fix(line: str, key: str, fix: str) -> None:
    (found,) = mistakes(f"[[survey]]\n{line}")
    assert found.startswith(f"{key}: ")
    assert fix in found


@pytest.mark.parametrize(
    ("text", "fix"),
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
def test_a_file_without_a_list_of_surveys_is_refused(text: str, fix: str) -> None:
    (found,) = mistakes(text)
    assert fix in found


def test_all_mistakes_are_reported_together() -> None:
    found = mistakes(
        "[[survey]]\nname = ''\ndeliver = ['pigeon']\nexpires = '1s'\n"
        "[[survey]]\nname = 'b'\n[survey.match]\nsample = 2\nx = 1"
    )
    assert [": ".join(line.split(": ")[:2]).strip() for line in found] == [
        "survey 1: name",
        "survey 1: expires",
        "survey 1: deliver",
        'survey "b": match.sample',
        'survey "b": match.x',
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            '[survey.match]\non_reclose = "always"',
            'match.on_reclose: No such key. Did you mean "on_reclose" of [[survey]]? Write it above [survey.match].',
        ),
        (
            'channels = ["EMAIL"]',
            'channels: No such key. Did you mean "channels" of [survey.match]? Write it below that line.',
        ),
        (
            'chanels = ["EMAIL"]',
            'chanels: No such key. Did you mean "channels" of [survey.match]? Write it below that line.',
        ),
        ('remindr = "3d"', 'remindr: No such key. Did you mean "reminder"?'),
        ("[survey.match]\nquues = []", 'match.quues: No such key. Did you mean "queues"?'),
        ("[survey.matchs]", "matchs: No such key. Did you mean [survey.match]?"),
        ("[survey.match.send_window]", "match.send_window: No such key. Write it as [survey.send_window]."),
        (
            '[survey.words.da]\ncooldown = "0s"',
            'words.da.cooldown: No such key. Did you mean "cooldown" of [[survey]]? Write it above [survey.words.da].',
        ),
        ("[[survey.on_answer]]\nscores = [1]\ntags = ['a']", 'on_answer 1: tags: No such key. Did you mean "tag"?'),
        ("DAILY-CAP = 20", 'DAILY-CAP: No such key. Did you mean "daily_cap"?'),
        ('colour = "blue"', "colour: No such key. See the list of keys in docs/surveys.md."),
        ("[survey.match]\nemail = 'a'", "match.email: No such key. See the list of keys in docs/surveys.md."),
        ('"" = 1', ": No such key. See the list of keys in docs/surveys.md."),
    ],
)
def test_an_unknown_key_gets_a_suggestion(text: str, line: str) -> None:
    assert mistakes(f"[[survey]]\n{text}") == [f"survey 1: {line}"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[[survey]]\n[match]", "match: No such key. Write it as [survey.match]."),
        ("_schema = 1\n[[survey]]", ": No such key. See the list of keys in docs/surveys.md."),
        ("[[survey]]\n[[surveys]]", "surveys: No such key. Did you mean [[survey]]?"),
        (
            'delay = "1h"\n[[survey]]',
            'delay: No such key. Did you mean "delay" of [[survey]]? Write it below that line.',
        ),
    ],
)
def test_an_unknown_key_outside_of_all_surveys_gets_a_suggestion(text: str, line: str) -> None:
    assert mistakes(text) == [f"{line}"]


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
def test_a_survey_is_named_if_its_name_is_valid_and_unique(first: str, place: str) -> None:
    found = mistakes(
        f"[[survey]]\n{first}\neditable_for = 1\n[[survey]]\nname = 'b'\n[[survey]]\nname = 'c'\neditable_for = 1"
    )
    assert [line for line in found if "editable_for" in line and line.startswith(f"{place}editable_for: ")]
    assert any(line.startswith('survey "c": editable_for: ') for line in found)


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"[[survey]]\ndelay = 1\neditable_for = 2"])
def test_every_line_about_a_file_begins_with_its_path(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "mine.toml"
    if content:
        path.write_bytes(content)
    with pytest.raises(SurveysFileError) as caught:
        read_surveys(path)
    assert all(line.startswith(f"{path}") for line in str(caught.value).splitlines())


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_an_old_key_is_refused_with_its_new_name(old: str, new: str) -> None:
    assert mistakes(f"[[survey]]\n{old} = 1") == [f"survey 1: {old}: `{old}` is called `{new}` now."]


def test_an_old_table_is_refused_with_its_new_name() -> None:
    assert mistakes("[[survey]]\n[survey.ask]\nsample = 0.5") == ["survey 1: ask: `ask` is called `match` now."]
