"""The settings as a whole, and their mistakes."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.loader import SettingsError, read_settings
from config.parsers import Pace

GOOD = {
    "DIXA_API_TOKEN": "token-one",
    "DIXA_WEBHOOK_SECRETS": "00ff5f3a9c7e1d2b4860aa11bb22cc33",
    "SECRET_KEYS": "a-key-for-the-links-of-the-tests-0123456789",
    "PUBLIC_URL": "https://feedback.example.com",
    "REDIS_URL": "redis://:redis-password@localhost:6379/0",
}
SECRETS = ("token-one", "a-key-for-the-links", "redis-password", r"b'\x00\xff")


def mistakes(**changes: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        read_settings({**GOOD, **changes})
    return str(caught.value).splitlines()[1:]


def test_settings_have_defaults() -> None:
    settings = read_settings(GOOD)
    assert settings.dixa_api_url == "https://dev.dixa.io/beta"
    assert settings.dixa_pace == Pace(9.9, 3)
    assert settings.spool_dir == Path("var/spool")
    assert settings.webhook_tolerance == timedelta(minutes=5)
    assert (settings.brand_name, settings.support_url, settings.privacy_url) == ("Support", None, None)
    assert (settings.log_format, settings.log_level, settings.proxy_hops) == ("json", "INFO", 0)
    assert (settings.timings.lease, settings.timings.offer_max_age) == (timedelta(seconds=60), timedelta(hours=72))
    assert [survey.name for survey in settings.surveys] == ["default"]
    assert settings.warnings == ()


def test_repr_shows_no_secret() -> None:
    shown = repr(read_settings(GOOD))
    assert not [secret for secret in SECRETS if secret in shown]


def test_all_missing_variables_are_reported_with_an_example() -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({})
    lines = str(caught.value).splitlines()[1:]
    assert [line.split()[0] for line in lines] == list(GOOD)
    assert all("Example: " in line for line in lines)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DIXA_API_TOKEN", "Bearer abcdef"),
        ("DIXA_API_TOKEN", "abc,bearer abcdef"),
        ("DIXA_API_TOKEN", "abc def"),
        ("DIXA_API_TOKEN", "abc\u00e9def"),
        ("DIXA_API_TOKEN", "abc\udcffdef"),
        ("DIXA_API_TOKEN", ","),
        ("DIXA_WEBHOOK_SECRETS", ",,"),
        ("DIXA_WEBHOOK_SECRETS", "00 ff"),
        ("SECRET_KEYS", "k" * 31),
        ("SECRET_KEYS", "long" * 8 + ",short"),
        ("PUBLIC_URL", "feedback.example.com"),
        ("PUBLIC_URL", "ftp://feedback.example.com"),
        ("PUBLIC_URL", "https://feedback.example.com/?a"),
        ("PUBLIC_URL", "https://feedback.example.com/#a"),
        ("PUBLIC_URL", "https://user@feedback.example.com"),
        ("PUBLIC_URL", "https://feedback.example.com:port"),
        ("PUBLIC_URL", "https://[feedback"),
        ("PUBLIC_URL", "https://feed back.example.com"),
        ("PUBLIC_URL", "https://"),
        ("PUBLIC_URL", "https://example.com/feedback"),
        ("PUBLIC_URL", "https://feedback..example.com"),
        ("PUBLIC_URL", f"https://{'x' * 64}.example.com"),
        ("DIXA_API_URL", "dev.dixa.io/beta"),
        ("DIXA_API_URL", "https://dev..dixa.io/beta"),
        ("REDIS_URL", f"redis://user:hunter2@{'x' * 64}.example"),
        ("SLACK_WEBHOOK_URL", "https://hooks..example/hunter2"),
        ("SMTP_URL", "smtp://user:hunter2@mail..example"),
        ("THANK_YOU_HOSTS", "reviews..example"),
        ("SUPPORT_URL", "https://help..shop.example"),
        ("REDIS_URL", "localhost:6379"),
        ("REDIS_URL", "redis://user:hunter2@host:notaport"),
        ("REDIS_URL", "redis://user:hun/ter2@host"),
        ("REDIS_URL", "redis://host/mine"),
        ("REDIS_URL", "unix://"),
        ("SURVEYS_FILE", "no-such-file.toml"),
        ("SURVEYS_FILE", "."),
        ("DIXA_PACE", "9.5"),
        ("DIXA_PACE", "0/3"),
        ("DIXA_PACE", "9/0"),
        ("DIXA_PACE", "nan/3"),
        ("SHORT_LINKS", "maybe"),
        ("BRAND_NAME", "x" * 61),
        ("BRAND_NAME", "a\nb"),
        ("SUPPORT_URL", "help@shop.example"),
        ("PRIVACY_URL", "javascript:alert(1)"),
        ("TIME_ZONE", "CEST"),
        ("TIME_ZONE", "UTC+1"),
        ("TIME_ZONE", "Europe"),
        ("TIME_ZONE", "../UTC"),
        ("TIME_ZONE", "/etc/localtime"),
        ("TIME_ZONE", "\udcff"),
        ("TIME_ZONE", "x" * 10_000),
        ("LOG_FORMAT", "xml"),
        ("LOG_LEVEL", "LOUD"),
        ("WEBHOOK_TOLERANCE", "5"),
        ("WEBHOOK_TOLERANCE", "0s"),
        ("PROXY_HOPS", "-1"),
        ("PROXY_HOPS", "one"),
        ("PROXY_HOPS", "\u0661"),
        ("RELAY_INTERVAL", "0.25s"),
        ("LEASE", "29s"),
        ("BACKOFF_MAX", "4s"),
        ("ANSWER_MAX_AGE", "999999999999999w"),
    ],
)
def test_mistake_is_one_line_with_the_name_and_without_secrets(name: str, value: str) -> None:
    (line,) = mistakes(**{name: value})
    assert line.startswith(f"  {name}: ")
    assert line.endswith((".", ")", "…", "?"))
    assert not [part for part in ("hunter2", "abc", "kkk", "short,", "00 ff") if part in line]


def test_survey_with_send_window_uses_its_time_zone(tmp_path: Path) -> None:
    file = tmp_path / "surveys.toml"
    window = '{ from = "09:00", to = "17:00", zone = "America/New_York" }'
    file.write_text(f'[[survey]]\n[[survey]]\nname = "office"\nsend_window = {window}\n', encoding="utf-8")
    settings = read_settings({**GOOD, "SURVEYS_FILE": str(file), "TIME_ZONE": "Europe/Copenhagen"})
    zones = [survey.zone_or(settings.time_zone).key for survey in settings.surveys]
    assert zones == ["Europe/Copenhagen", "America/New_York"]
    assert read_settings(GOOD).time_zone.key == "UTC"


def test_mistakes_of_all_kinds_are_reported_together(tmp_path: Path) -> None:
    surveys = tmp_path / "surveys.toml"
    surveys.write_text('[[survey]]\nname = "A B"\ndelay = "soon"\n')
    lines = mistakes(DIXA_API_TOKEN="", PUBLIC_URL="x", SURVEYS_FILE=str(surveys), LEASE="1s", RECONCILE_AFTER="soon")
    assert [line.split()[0].rstrip(":") for line in lines] == [
        "DIXA_API_TOKEN",
        "PUBLIC_URL",
        "SURVEYS_FILE",
        "SURVEYS_FILE",
        "RECONCILE_AFTER",
        "LEASE",
    ]
    assert "survey 1: delay: " in "".join(lines)


@given(
    st.dictionaries(
        st.sampled_from([*GOOD, "DIXA_API_URL", "DIXA_PACE", "PROXY_HOPS", "LEASE", "SPOOL_DIR", "SUPPORT_URL"]),
        st.text() | st.sampled_from(["redis://", "https://", "https://[", "mailto:", "1/1", "off", "\udcff"]),
    )
)
def test_any_environment_gives_settings_or_mistakes(environ: dict[str, str]) -> None:
    try:
        read_settings({**GOOD, **environ})
    except SettingsError as error:
        mistakes = str(error).splitlines()[1:]
    else:
        mistakes = []
    assert all(line.strip() for line in mistakes)
