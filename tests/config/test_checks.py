"""Checks across settings, and settings that are made of several variables."""

from datetime import timedelta
from pathlib import Path

import pytest

from config.endpoints import SignedEndpoint
from config.loader import SettingsError, read_settings
from service.surveys.mailbox import Mailbox
from service.surveys.states import SurveyEvent
from tests.config.test_settings import GOOD, mistakes
from tests.receiver import SECRET

MAIL = {"SMTP_URL": "smtps://user:smtp-password@mail.example", "MAIL_FROM": "Northwind <survey@northwind.example>"}


NEEDS_EVERY_ENDPOINT = """
[[survey]]
deliver = ["webhook"]
[[survey.on_answer]]
scores = [1]
slack = true
webhook = true
thank_you = "https://reviews.example/x"
"""


ENDPOINTS = {
    "DELIVERY_WEBHOOK_URL": "https://sender.example/links",
    "DELIVERY_WEBHOOK_SECRET": SECRET,
    "ANSWER_WEBHOOK_URL": "https://sender.example/answers",
    "ANSWER_WEBHOOK_SECRET": SECRET,
    "SLACK_WEBHOOK_URL": "https://slack.example/T/B/x",
    "THANK_YOU_HOSTS": "reviews.example",
}


def test_webhook_key_that_is_not_hex_is_used_as_text_with_a_warning() -> None:
    settings = read_settings({**GOOD, "DIXA_WEBHOOK_SECRETS": f"{'00ff' * 8},{'4g4h98' * 3}"})
    assert settings.webhook_secrets == (b"\x00\xff" * 8, b"4g4h98" * 3)
    assert ["number 2" in warning and "4g4h98" not in warning for warning in settings.warnings] == [True]


@pytest.mark.parametrize("folder", ["x" * 5000, f"{Path(__file__)}/spool"])
def test_unreadable_spool_is_no_mistake_of_settings(folder: str) -> None:
    assert read_settings({**GOOD, "SPOOL_DIR": folder}).spool_dir == Path(folder)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RECORD_RETENTION", "89d"),
        ("RECONCILE_AFTER", "14s"),
        ("STEP_BUDGET", "4s"),
        ("DIXA_PACE", "11/3"),
        ("DIXA_PACE", "9.9/5"),
    ],
)
def test_risk_of_duplicates_or_refusals_is_a_warning(name: str, value: str) -> None:
    [warning] = read_settings({**GOOD, name: value}).warnings
    assert warning.startswith(name)
    assert read_settings({**GOOD, "RECONCILE_AFTER": "15s", "DIXA_PACE": "10/4", "STEP_BUDGET": "5s"}).warnings == ()


@pytest.mark.parametrize(
    ("name", "risky", "fine"),
    [
        ("PUBLIC_URL", "http://feedback.example.com", "http://127.0.0.1:8000"),
        ("PUBLIC_URL", "HTTP://10.0.0.5:8000", "HTTP://LOCALHOST"),
        ("PUBLIC_URL", "http://localhost.example.com", "http://[::1]:8000"),
        ("DIXA_API_URL", "http://dixa.example/beta", "http://127.0.0.1:8020/beta"),
        ("WEBHOOK_TOLERANCE", "61m", "1h"),
    ],
)
def test_risk_of_eavesdropping_or_replay_is_a_warning(name: str, risky: str, fine: str) -> None:
    [warning] = read_settings({**GOOD, name: risky}).warnings
    assert warning.startswith(name)
    assert read_settings({**GOOD, name: fine}).warnings == ()


def test_unknown_channel_is_a_warning(tmp_path: Path) -> None:
    """Dixa may have added the channel. More often it is a typing error, and the survey is never sent."""
    file = tmp_path / "surveys.toml"
    file.write_text(
        '[[survey]]\ndelay = { SMSS = "1h" }\n[survey.match]\nchannels = ["EMIAL", "SMS"]\n', encoding="utf-8"
    )
    warnings = read_settings({**GOOD, "SURVEYS_FILE": str(file)}).warnings
    assert [warning.split('"')[3] for warning in warnings] == ["Emial", "Smss"]


def test_unknown_user_type_is_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "surveys.toml"
    ask = 'user_types = ["CONTACT", "Member", "Customer"]\nassignee_types = ["MEMBER", "Agent"]'
    file.write_text(f'[[survey]]\nname = "vip"\n[survey.match]\n{ask}\n', encoding="utf-8")
    known = "so it may match nothing (Contact, Member)."
    assert read_settings({**GOOD, "SURVEYS_FILE": str(file)}).warnings == (
        f'survey "vip": Dixa documents no user type "Customer", {known}',
        f'survey "vip": Dixa documents no assignee type "Agent", {known}',
    )


@pytest.mark.parametrize(("mode", "warned"), [(0o777, True), (0o702, True), (0o770, False), (0o700, False)])
def test_spool_writable_by_others_is_a_warning(tmp_path: Path, mode: int, *, warned: bool) -> None:
    tmp_path.chmod(mode)
    warnings = read_settings({**GOOD, "SPOOL_DIR": str(tmp_path)}).warnings
    assert ["chmod o-w" in warning for warning in warnings] == [True] * warned


def test_mail_settings_are_read() -> None:
    settings = read_settings({**GOOD, **MAIL, "MAIL_REPLY_TO": "help@northwind.example"})
    assert settings.mail
    assert settings.mail.sender == Mailbox("survey@northwind.example", "Northwind")
    assert settings.mail.reply_to == Mailbox("help@northwind.example")
    assert "smtp-password" not in repr(settings)
    assert read_settings(GOOD).mail is None


def test_smtp_url_needs_mail_from() -> None:
    assert [line.split()[0] for line in mistakes(SMTP_URL=MAIL["SMTP_URL"])] == ["MAIL_FROM"]
    assert len(mistakes(SMTP_URL=MAIL["SMTP_URL"], MAIL_FROM="nobody")) == 1


def test_survey_by_email_needs_smtp_url(tmp_path: object) -> None:
    file = tmp_path / "surveys.toml"  # type: ignore[operator]
    file.write_text('[[survey]]\nname = "both"\ndeliver = ["message", "email"]\n', encoding="utf-8")
    (line,) = mistakes(SURVEYS_FILE=str(file))
    assert "'both'" in line
    assert "SMTP_URL" in line
    assert len(mistakes(SURVEYS_FILE=str(file), **MAIL | {"SMTP_URL": "nonsense"})) == 1
    try:
        assert read_settings({**GOOD, **MAIL, "SURVEYS_FILE": str(file)}).surveys[0].deliver == ("message", "email")
    except SettingsError as error:
        pytest.fail(str(error))


def test_endpoint_settings_are_read(tmp_path: Path) -> None:
    file = tmp_path / "surveys.toml"
    file.write_text(NEEDS_EVERY_ENDPOINT)
    settings = read_settings({**GOOD, **ENDPOINTS, "SURVEYS_FILE": str(file)})
    assert settings.delivery_webhook == SignedEndpoint("https://sender.example/links", SECRET)
    assert settings.answer_webhook == SignedEndpoint("https://sender.example/answers", SECRET)
    assert settings.slack_url == "https://slack.example/T/B/x"
    assert settings.thank_you_hosts == ("reviews.example",)
    for hidden in (SECRET, "sender.example", "slack.example"):
        assert hidden not in repr(settings)
    assert read_settings(GOOD).delivery_webhook is None
    assert read_settings(GOOD).answer_webhook is None


@pytest.mark.parametrize(
    ("missing", "mistake"),
    [
        ("DELIVERY_WEBHOOK_SECRET", "DELIVERY_WEBHOOK_SECRET is not set, and DELIVERY_WEBHOOK_URL is"),
        ("ANSWER_WEBHOOK_URL", "'default' has webhook = true in on_answer, which needs ANSWER_WEBHOOK_URL"),
        ("DELIVERY_WEBHOOK_URL", "'default' has \"webhook\" in deliver, which needs DELIVERY_WEBHOOK_URL"),
        ("SLACK_WEBHOOK_URL", "'default' has slack = true in on_answer, which needs SLACK_WEBHOOK_URL"),
        ("THANK_YOU_HOSTS", "'default' has a thank_you at reviews.example, which is not in THANK_YOU_HOSTS"),
    ],
)
def test_variables_that_a_survey_needs_must_be_set(tmp_path: Path, missing: str, mistake: str) -> None:
    file = tmp_path / "surveys.toml"
    file.write_text(NEEDS_EVERY_ENDPOINT)
    found = mistakes(SURVEYS_FILE=str(file), **{name: value for name, value in ENDPOINTS.items() if name != missing})
    assert any(mistake in line for line in found)


def test_mistake_of_a_variable_is_reported_once(tmp_path: Path) -> None:
    file = tmp_path / "surveys.toml"
    file.write_text(NEEDS_EVERY_ENDPOINT)
    with pytest.raises(SettingsError) as caught:
        read_settings({**GOOD, **ENDPOINTS, "SURVEYS_FILE": str(file), "SLACK_WEBHOOK_URL": "http://slack.example/T"})
    assert str(caught.value).splitlines()[1:] == [
        "  SLACK_WEBHOOK_URL: would send customers' links or answers unencrypted. Write https://."
    ]


@pytest.mark.parametrize(
    ("name", "short", "fine", "needed"),
    [
        ("RECORD_RETENTION", "200d", "201d", "201d"),
        ("FACTS_RETENTION", "199d", "200d", "200d"),
        ("AGENT_RETENTION", "1d", "200d", "200d"),
    ],
)
def test_retention_shorter_than_an_answer_needs_is_lengthened_with_a_warning(
    tmp_path: Path, name: str, short: str, fine: str, needed: str
) -> None:
    file = tmp_path / "surveys.toml"
    file.write_text('[[survey]]\n[[survey]]\nname = "slow"\nexpires = "200d"\n', encoding="utf-8")
    names = ("RECORD_RETENTION", "FACTS_RETENTION", "AGENT_RETENTION")
    enough = {**GOOD, "SURVEYS_FILE": str(file), **dict.fromkeys(names, "300d")}
    settings = read_settings({**enough, name: short})
    (warning,) = settings.warnings
    assert warning.startswith(f'{name} is shorter than survey "slow" needs, whose links work for 200d')
    assert f"Write {name}={needed}, or a shorter `expires`." in warning
    assert read_settings({**enough, name: fine}).warnings == ()
    retention = settings.retention
    assert min(retention.facts, retention.agent) >= timedelta(days=200)


def test_address_and_comment_are_kept_as_briefly_as_wanted() -> None:
    settings = read_settings({**GOOD, "ADDRESS_RETENTION": "1m", "COMMENT_RETENTION": "1h"})
    assert (settings.retention.address, settings.retention.comment) == (timedelta(minutes=1), timedelta(hours=1))
    assert settings.warnings == ()


@pytest.mark.parametrize(
    ("given", "mistake"),
    [
        (
            {"EVENTS_WEBHOOK_URL": "https://bi.example/events"},
            "EVENTS_WEBHOOK_SECRET is not set, and EVENTS_WEBHOOK_URL is",
        ),
        ({"EVENTS": "survey.asked, survey.opened"}, "EVENTS: is not one or several of: survey.asked, survey.skipped, "),
        ({"EVENTS": ","}, "EVENTS: is not one or several of: "),
        ({"DIGEST_TO": "lead@northwind.example"}, "DIGEST_TO is set, and SMTP_URL is not. Set SMTP_URL and MAIL_FROM"),
        ({"DIGEST_TO": "lead", **MAIL}, "DIGEST_TO: is not an address."),
        ({"DIGEST_TO": "lead@northwind.example", "ARCHIVE_URL": "off", **MAIL}, "ARCHIVE_URL: the weekly digest needs"),
        (
            {"DIGEST_SLACK_WEBHOOK_URL": "https://slack.example/x", "ARCHIVE_URL": "off"},
            "ARCHIVE_URL: the weekly digest",
        ),
        ({"DIGEST_AT": "daily"}, "DIGEST_AT: is not a day and a time. Write one such as Mon 08:00."),
        ({"DIXA_CARD_TOKEN": "short"}, "DIXA_CARD_TOKEN: is not 16 to 200 of"),
    ],
)
def test_events_digest_and_card_need_whole_settings(given: dict[str, str], mistake: str) -> None:
    assert any(mistake in line for line in mistakes(**given)), mistakes(**given)


def test_events_are_sent_only_to_a_receiver() -> None:
    assert read_settings(GOOD).sent_events == frozenset()
    given = {"EVENTS_WEBHOOK_URL": "https://bi.example/events", "EVENTS_WEBHOOK_SECRET": SECRET}
    assert read_settings(GOOD | given).sent_events == frozenset(SurveyEvent)
    chosen = read_settings(GOOD | given | {"EVENTS": "survey.asked, survey.failed"}).sent_events
    assert chosen == {SurveyEvent.ASKED, SurveyEvent.FAILED}
