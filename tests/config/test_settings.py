import sys
import zoneinfo
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


def test_the_defaults_are_those_of_the_design() -> None:
    settings = read_settings(GOOD)
    assert settings.dixa_api_url == "https://dev.dixa.io/beta"
    assert settings.dixa_pace == Pace(9.5, 3)
    assert settings.spool_dir == Path("var/spool")
    assert settings.webhook_tolerance == timedelta(minutes=5)
    assert (settings.brand_name, settings.support_url, settings.privacy_url) == ("Support", None, None)
    assert (settings.log_format, settings.log_level, settings.proxy_hops) == ("json", "INFO", 0)
    assert (settings.timings.lease, settings.timings.offer_max_age) == (timedelta(seconds=60), timedelta(hours=72))
    assert [survey.name for survey in settings.surveys] == ["default"]
    assert settings.warnings == ()


def test_nothing_secret_shows_in_repr() -> None:
    shown = repr(read_settings(GOOD))
    assert not [secret for secret in SECRETS if secret in shown]


def test_everything_that_is_missing_is_named_at_once_with_an_example() -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({})
    lines = str(caught.value).splitlines()[1:]
    assert [line.split()[0] for line in lines] == list(GOOD)
    assert all("Example: " in line for line in lines)


def test_an_empty_variable_counts_as_not_set() -> None:
    assert mistakes(REDIS_URL=" ") == ["  REDIS_URL is not set. Example: REDIS_URL=redis://localhost:6379/0"]
    assert read_settings({**GOOD, "DIXA_PACE": ""}).dixa_pace == Pace(9.5, 3)


def test_several_secrets_are_separated_by_commas() -> None:
    settings = read_settings(
        {
            **GOOD,
            "DIXA_API_TOKEN": "a, b,",
            "DIXA_WEBHOOK_SECRETS": f"{'00ff' * 8},{'AABB' * 8}",
            "SECRET_KEYS": f"{'no' * 16},{'on' * 16}",
        }
    )
    assert settings.dixa_api_tokens == ("a", "b")
    assert settings.webhook_secrets == (b"\x00\xff" * 8, b"\xaa\xbb" * 8)
    assert settings.secret_keys == ("no" * 16, "on" * 16)


def test_a_webhook_key_that_is_not_hex_is_used_as_it_is_with_a_warning_that_does_not_show_it() -> None:
    settings = read_settings({**GOOD, "DIXA_WEBHOOK_SECRETS": f"{'00ff' * 8},{'4g4h98' * 3}"})
    assert settings.webhook_secrets == (b"\x00\xff" * 8, b"4g4h98" * 3)
    assert ["number 2" in warning and "4g4h98" not in warning for warning in settings.warnings] == [True]


def test_urls_lose_their_last_slash() -> None:
    settings = read_settings({**GOOD, "PUBLIC_URL": "http://localhost:8000/", "DIXA_API_URL": "https://x.example/v1/"})
    assert (settings.public_url, settings.dixa_api_url) == ("http://localhost:8000", "https://x.example/v1")


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        ("https://bücher.example/", "https://xn--bcher-kva.example"),
        ("https://bücher.example:8443", "https://xn--bcher-kva.example:8443"),
        ("https://Straße.example", "https://xn--strae-oqa.example"),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_our_own_host_is_written_in_ascii(url: str, taken: str) -> None:
    """A header of an e-mail holds it."""
    assert read_settings({**GOOD, "PUBLIC_URL": url}).public_url == taken


@pytest.mark.parametrize("folder", ["x" * 5000, f"{Path(__file__)}/spool"])
def test_a_spool_that_cannot_be_looked_at_is_left_to_the_start(folder: str) -> None:
    assert read_settings({**GOOD, "SPOOL_DIR": folder}).spool_dir == Path(folder)


def test_the_spool_can_be_off() -> None:
    assert read_settings({**GOOD, "SPOOL_DIR": "off"}).spool_dir is None


@pytest.mark.parametrize(("text", "on"), [("on", True), ("ON", True), ("true", True), ("off", False), ("", False)])
def test_short_links_are_on_or_off(text: str, *, on: bool) -> None:
    assert read_settings({**GOOD, "SHORT_LINKS": text}).short_links is on


def test_links_can_be_given() -> None:
    settings = read_settings(
        {**GOOD, "SUPPORT_URL": "mailto:help@shop.example", "PRIVACY_URL": "https://shop.example/?p"}
    )
    assert (settings.support_url, settings.privacy_url) == ("mailto:help@shop.example", "https://shop.example/?p")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RECORD_RETENTION", "89d"),
        ("RECONCILE_AFTER", "14s"),
        ("STEP_BUDGET", "4s"),
        ("DIXA_PACE", "11/3"),
        ("DIXA_PACE", "9.5/5"),
    ],
)
def test_what_can_double_or_be_refused_is_warned_about(name: str, value: str) -> None:
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
def test_what_lets_others_read_along_is_warned_of(name: str, risky: str, fine: str) -> None:
    [warning] = read_settings({**GOOD, name: risky}).warnings
    assert warning.startswith(name)
    assert read_settings({**GOOD, name: fine}).warnings == ()


def test_a_channel_that_nobody_knows_is_warned_about(tmp_path: Path) -> None:
    """Dixa may have added it; more often it is a slip, and the survey asks nobody."""
    file = tmp_path / "surveys.toml"
    file.write_text(
        '[[survey]]\ndelay = { SMSS = "1h" }\n[survey.match]\nchannels = ["EMIAL", "SMS"]\n', encoding="utf-8"
    )
    warnings = read_settings({**GOOD, "SURVEYS_FILE": str(file)}).warnings
    assert [warning.split('"')[3] for warning in warnings] == ["Emial", "Smss"]


def test_so_is_a_type_of_user_that_nobody_knows(tmp_path: Path) -> None:
    file = tmp_path / "surveys.toml"
    ask = 'user_types = ["CONTACT", "Member", "Customer"]\nassignee_types = ["MEMBER", "Agent"]'
    file.write_text(f'[[survey]]\nname = "vip"\n[survey.match]\n{ask}\n', encoding="utf-8")
    known = "so it may match nothing (Contact, Member)."
    assert read_settings({**GOOD, "SURVEYS_FILE": str(file)}).warnings == (
        f'survey "vip": Dixa documents no user type "Customer", {known}',
        f'survey "vip": Dixa documents no assignee type "Agent", {known}',
    )


@pytest.mark.parametrize(
    "url", ["redis://h", "redis://u:p@h:6379/15", "rediss://h:6380", "unix:///run/redis.sock?db=1"]
)
def test_every_kind_of_redis_is_taken(url: str) -> None:
    assert read_settings({**GOOD, "REDIS_URL": url}).redis_url == url


@pytest.mark.parametrize(
    "options",
    ["db=3", "username=u&password=p%40%3F", "protocol=2", "protocol=3&ssl_cert_reqs=none", "ssl_check_hostname=false"],
)
def test_options_that_both_clients_of_redis_can_be_given_are_taken(options: str) -> None:
    url = f"rediss://h:6380?{options}"
    assert read_settings({**GOOD, "REDIS_URL": url}).redis_url == url


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("redis://h?max_connections=8", "option max_connections. Afterword sets it itself"),
        ("redis://h?client_name=hunter2", "option client_name. Afterword sets it itself"),
        ("rediss://h?health_check_interval=5", "option health_check_interval. Afterword sets it itself"),
        ("unix:///s?socket_timeout=hunter2", "option socket_timeout. Afterword sets it itself"),
        ("redis://h?nonsense", "option nonsense. Afterword sets it itself"),
        ("redis://h?db=hunter2", "option db that can't be read. Write a number"),
        ("redis://h?db=", "option db that can't be read. Write a number"),
        ("redis://h?db=1&db=2", "option db more than once"),
        ("redis://h?protocol=4", "option protocol that can't be read. Write 2 or 3"),
        ("redis://h?ssl_cert_reqs=none", "option ssl_cert_reqs, which is for TLS. Write rediss://"),
        ("unix:///s?ssl_ca_certs=ca.pem", "option ssl_ca_certs, which is for TLS. Write rediss://"),
        ("rediss://h?ssl_cert_reqs=CERT_NONE", "option ssl_cert_reqs that can't be read. Write none, optional or"),
        ("rediss://h?ssl_check_hostname=hunter2", "option ssl_check_hostname that can't be read. Write true or"),
        ("rediss://h?ssl_ca_certs=/no/hunter2", "option ssl_ca_certs that names no file of certificates"),
        ("rediss://h?ssl_ca_certs=%00", "option ssl_ca_certs that names no file of certificates"),
        ("rediss://h?ssl_keyfile=/no/hunter2", "option ssl_keyfile without ssl_certfile"),
        ("rediss://h?ssl_certfile=/no/hunter2", "ssl_certfile and ssl_keyfile that don't fit"),
        ("redis://:12?hunter2@h", 'Write a "?" in a password as %3F'),
        ("redis://:12?hunter=two@h", 'Write a "?" in a password as %3F'),
    ],
)
def test_other_options_of_redis_are_refused_by_name_and_never_by_value(url: str, words: str) -> None:
    (line,) = mistakes(REDIS_URL=url)
    assert line.startswith("  REDIS_URL: has ")
    assert words in line
    assert "hunter" not in line


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
def test_a_mistake_is_one_line_with_the_name_and_never_the_value_of_a_secret(name: str, value: str) -> None:
    (line,) = mistakes(**{name: value})
    assert line.startswith(f"  {name}: ")
    assert line.endswith((".", ")", "…", "?"))
    assert not [part for part in ("hunter2", "abc", "kkk", "short,", "00 ff") if part in line]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("DIXA_WEBHOOK_SECRETS", "00ff"),
        ("DIXA_WEBHOOK_SECRETS", "1a2b" * 7 + "1a"),
        ("DIXA_WEBHOOK_SECRETS", "not-hex-15-char"),
        ("DIXA_WEBHOOK_SECRETS", "0" * 32),
        ("DIXA_WEBHOOK_SECRETS", "0" * 33),
        ("DIXA_WEBHOOK_SECRETS", "5a" * 32),
        ("DIXA_WEBHOOK_SECRETS", "x" * 40),
        ("SECRET_KEYS", "a" * 32),
        ("SECRET_KEYS", "0" * 64),
        ("SECRET_KEYS", "5a" * 32),
        ("SECRET_KEYS", "k" * 33),
        ("DELIVERY_WEBHOOK_SECRET", "whsec_" + "A" * 32),
        ("ANSWER_WEBHOOK_SECRET", "whsec_" + "eHh4" * 10),
    ],
)
def test_a_key_that_can_be_guessed_is_refused_with_the_way_to_make_one(name: str, key: str) -> None:
    """HMAC fills a key with zeros: one of zeros signs like no key at all."""
    good = f"{GOOD[name]}," if name in GOOD else ""
    url = {name.replace("SECRET", "URL"): "https://shop.example/hook"} if not good else {}
    (line,) = mistakes(**{name: good + key}, **url)
    assert line.startswith(f"  {name}: ")
    assert "python3 -c" in line
    assert key not in line


@pytest.mark.parametrize("text", ["europe/copenhagen", "Europe/Kopenhagen", "Copenhagen/Europe"])
def test_a_time_zone_with_a_slip_is_told_what_it_may_mean(text: str) -> None:
    (line,) = mistakes(TIME_ZONE=text)
    assert line.startswith("  TIME_ZONE: is not a time zone. ")
    assert ("Did you mean Europe/Copenhagen?" in line) is text.lower().startswith("europe")
    assert "Europe/Copenhagen" in line


def test_a_survey_with_a_window_has_the_windows_time(tmp_path: Path) -> None:
    file = tmp_path / "surveys.toml"
    window = '{ from = "09:00", to = "17:00", zone = "America/New_York" }'
    file.write_text(f'[[survey]]\n[[survey]]\nname = "office"\nsend_window = {window}\n', encoding="utf-8")
    settings = read_settings({**GOOD, "SURVEYS_FILE": str(file), "TIME_ZONE": "Europe/Copenhagen"})
    zones = [survey.zone_or(settings.time_zone).key for survey in settings.surveys]
    assert zones == ["Europe/Copenhagen", "America/New_York"]
    assert read_settings(GOOD).time_zone.key == "UTC"


def test_mistakes_of_all_kinds_are_listed_together(tmp_path: Path) -> None:
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


@pytest.mark.parametrize(("mode", "warned"), [(0o777, True), (0o702, True), (0o770, False), (0o700, False)])
def test_a_spool_that_others_can_write_is_warned_of(tmp_path: Path, mode: int, *, warned: bool) -> None:
    tmp_path.chmod(mode)
    warnings = read_settings({**GOOD, "SPOOL_DIR": str(tmp_path)}).warnings
    assert ["chmod o-w" in warning for warning in warnings] == [True] * warned


def test_a_missing_time_zone_database_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tzdata", *(each for each in sys.modules if each.startswith("tzdata."))):
        monkeypatch.setitem(sys.modules, name, None)
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath(to=[])
    zoneinfo.ZoneInfo.clear_cache()
    try:
        assert mistakes(TIME_ZONE="Europe/Oslo") == [
            "  TIME_ZONE: can't be read: this Python has no time zones. Install tzdata."
        ]
    finally:
        zoneinfo.reset_tzpath(to=before)


def test_old_name_is_refused_with_the_new_one() -> None:
    assert mistakes(SETTLE="60s", KEEP_RECORDS="90d") == [
        "  SETTLE is called RECONCILE_AFTER now.",
        "  KEEP_RECORDS is called RECORD_RETENTION now.",
    ]


@pytest.mark.parametrize("quote", ['"', "'"])
def test_quotes_that_came_with_a_value_are_warned_of(quote: str) -> None:
    key = f"{quote}{GOOD['SECRET_KEYS']}{quote}"
    [warning] = read_settings({**GOOD, "SECRET_KEYS": key}).warnings
    assert warning.startswith("SECRET_KEYS has quotes around its value")
    [mistake] = mistakes(PUBLIC_URL=f"{quote}https://feedback.example.com{quote}")
    assert mistake.endswith("Leave them out.")


class TestDotEnv:
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """An empty working folder, and an environment with nothing but the path of the surveys."""
        monkeypatch.setenv("SURVEYS_FILE", str(Path("config/surveys.toml").resolve()))
        for name in GOOD:
            monkeypatch.delenv(name, raising=False)
        monkeypatch.chdir(tmp_path)
        return tmp_path

    def test_it_is_read_and_the_process_goes_before_it(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (folder / ".env").write_text("\n".join(f"{name}={value}" for name, value in GOOD.items()))
        monkeypatch.setenv("PUBLIC_URL", "https://process.example")
        settings = read_settings()
        assert settings.dixa_api_tokens == ("token-one",)
        assert settings.public_url == "https://process.example"

    def test_old_name_in_it_is_refused(self, folder: Path) -> None:
        lines = [f"{name}={value}" for name, value in GOOD.items()]
        (folder / ".env").write_text("\n".join([*lines, "SPOOL_MOST_MB=256"]))
        with pytest.raises(SettingsError, match="SPOOL_MOST_MB is called SPOOL_MAX_MB now"):
            read_settings()

    def test_one_in_a_folder_above_is_not_read(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (folder / ".env").write_text("\n".join(f"{name}={value}" for name, value in GOOD.items()))
        (folder / "below").mkdir()
        monkeypatch.chdir(folder / "below")
        with pytest.raises(SettingsError):
            read_settings()

    def test_it_is_not_read_when_an_environment_is_given(self, folder: Path) -> None:
        (folder / ".env").write_text("REDIS_URL=redis://localhost\n")
        with pytest.raises(SettingsError, match="REDIS_URL"):
            read_settings({})

    @pytest.mark.parametrize("first", ["", "# Ours\n", "\n"])
    def test_it_may_begin_with_a_bom(self, folder: Path, first: str) -> None:
        text = first + "\n".join(f"{name}={value}" for name, value in GOOD.items())
        (folder / ".env").write_text(text, encoding="utf-8-sig")
        assert read_settings().dixa_api_tokens == ("token-one",)

    @pytest.mark.parametrize(
        ("name", "meant"),
        [
            ("LOGLEVEL", "LOG_LEVEL"),
            ("BINDS", "BIND"),
            ("log_level", "LOG_LEVEL"),
            ("PROXY_HOP", "PROXY_HOPS"),
            ("RECORD_RETENTON", "RECORD_RETENTION"),
            ("DIXA_TOKEN", "DIXA_API_TOKEN"),
            ("SECRET_KEY", "SECRET_KEYS"),
        ],
    )
    def test_a_name_with_a_slip_is_warned_of(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, meant: str
    ) -> None:
        (folder / ".env").touch(mode=0o600)
        lines = [f"{each}={value}" for each, value in GOOD.items()]
        (folder / ".env").write_text("\n".join([*lines, f"{name}=secret-value", "PORT=8000", "COMPOSE_FILE=x"]))
        [warning] = read_settings().warnings
        assert warning == f"{name} in .env is no setting, so it does nothing. Did you mean {meant}?"
        (folder / ".env").write_text("\n".join(lines))
        monkeypatch.setenv(name, "of another program")
        assert read_settings().warnings == ()

    @pytest.mark.parametrize(("mode", "warned"), [(0o644, True), (0o604, True), (0o640, False), (0o600, False)])
    def test_one_that_everybody_can_read_is_warned_of(self, folder: Path, mode: int, *, warned: bool) -> None:
        (folder / ".env").write_text("\n".join(f"{name}={value}" for name, value in GOOD.items()))
        (folder / ".env").chmod(mode)
        assert ["chmod 600" in warning for warning in read_settings().warnings] == [True] * warned

    def test_a_dollar_in_a_value_is_a_dollar(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", "/home/of/somebody")
        key = "a-key-with-${HOME}-and-$HOME-and-${NOTHING:-x}-in-it"
        text = "\n".join(f"{name}={value}" for name, value in {**GOOD, "SECRET_KEYS": key}.items())
        (folder / ".env").write_text(text)
        assert read_settings().secret_keys == (key,)

    def test_of_one_that_is_not_text_nothing_is_said_to_be_missing(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (folder / ".env").write_bytes(b"A=\xff\xfe")
        monkeypatch.setenv("DIXA_PACE", "fast")
        with pytest.raises(SettingsError) as caught:
            read_settings()
        pace = "  DIXA_PACE: is not a pace. Write requests per second and burst, such as 9.5/3."
        assert str(caught.value).splitlines()[1:] == ["  .env can't be read: it is not UTF-8 text.", pace]

    def test_a_folder_of_that_name_is_a_mistake(self, folder: Path) -> None:
        """Docker makes one where a file that it is to mount is missing."""
        (folder / ".env").mkdir()
        with pytest.raises(SettingsError) as caught:
            read_settings()
        line = "  .env can't be read: Is a directory. Make it a file that we may read."
        assert str(caught.value).splitlines()[1:] == [line]


@given(
    st.dictionaries(
        st.sampled_from([*GOOD, "DIXA_API_URL", "DIXA_PACE", "PROXY_HOPS", "LEASE", "SPOOL_DIR", "SUPPORT_URL"]),
        st.text() | st.sampled_from(["redis://", "https://", "https://[", "mailto:", "1/1", "off", "\udcff"]),
    )
)
def test_whatever_is_set_the_answer_is_settings_or_a_list_of_mistakes(environ: dict[str, str]) -> None:
    try:
        read_settings({**GOOD, **environ})
    except SettingsError as error:
        mistakes = str(error).splitlines()[1:]
    else:
        mistakes = []
    assert all(line.strip() for line in mistakes)
