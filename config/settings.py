"""The settings: read once from the environment, all mistakes reported together. Nothing else reads the environment.

How each kind of value is written is in `config.values`; what each variable is for, in `.env.example`.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from dotenv import dotenv_values
from environs import Env, EnvValidationError

from config import brand, endpoints, mail, urls, values
from config.brand import Look, make_look
from config.endpoints import Endpoints
from config.mail import Mail, Mailbox, read_address
from config.own_brand import Brand
from config.spelling import CHANNELS, USER_TYPES
from config.surveys import Survey
from config.values import Pace

_DOTENV = Path(".env")
_KEEP_AT_LEAST = timedelta(days=90)
_STEP_AT_LEAST = timedelta(seconds=5)
_TOLERANCE_AT_MOST = timedelta(hours=1)
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_FOR_EVERYBODY = 0o004
_WRITABLE_BY_OTHERS = 0o002
_QUOTES = "\"'"
_QUOTED = "has quotes around its value, which count as part of it, as with docker --env-file. Leave them out."
_LONGEST_MAIL = timedelta(minutes=30)
_DIXAS_LIMIT = Pace(rate=10, burst=4)
_EXAMPLES = {
    "DIXA_API_TOKEN": "eyJhbGciOi… (made in Dixa's settings)",
    "DIXA_WEBHOOK_SECRETS": "5f3a9c… (shown with the webhook subscription in Dixa)",
    "SECRET_KEYS": f"what this prints: {values.MAKE_A_KEY}",
    "PUBLIC_URL": "https://feedback.example.com",
    "REDIS_URL": "redis://localhost:6379/0",
}
"""An example for each variable that has no default."""


class SettingsError(Exception):
    """Afterword can't start with these settings; the text has a line for each mistake, with the way out."""


@dataclass(frozen=True, slots=True)
class Timings:
    """How long everything takes, waits or lives. Each field is read from the variable of its name in capitals."""

    lease: timedelta = timedelta(seconds=60)
    step_budget: timedelta = timedelta(seconds=15)
    mail_budget: timedelta = timedelta(minutes=5)
    settle: timedelta = timedelta(seconds=60)
    dixa_lag: timedelta = timedelta(minutes=5)
    hint_again: timedelta = timedelta(seconds=60)
    backoff_first: timedelta = timedelta(seconds=5)
    backoff_most: timedelta = timedelta(minutes=15)
    offer_within: timedelta = timedelta(hours=72)
    answer_within: timedelta = timedelta(days=30)
    keep_records: timedelta = timedelta(days=90)
    relay_every: timedelta = timedelta(milliseconds=250)
    recovery_wait: timedelta = timedelta(seconds=10)
    token_pause: timedelta = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the two processes are told. `warnings` are for the log at start: odd, but no reason not to start.

    `own_addresses` are those that e-mails come from and go to on our side: nobody there is a customer.
    """

    dixa_api_tokens: tuple[str, ...] = field(repr=False)
    webhook_secrets: tuple[bytes, ...] = field(repr=False)
    secret_keys: tuple[str, ...] = field(repr=False)
    public_url: str
    redis_url: str = field(repr=False)
    certificates: Path | None
    dixa_api_url: str
    dixa_pace: Pace
    surveys_file: Path
    surveys: tuple[Survey, ...]
    spool_dir: Path | None
    spool_most_bytes: int
    brand_name: str
    look: Look
    default_language: str
    time_zone: ZoneInfo
    short_links: bool
    support_url: str | None
    privacy_url: str | None
    mail: Mail | None
    endpoints: Endpoints
    log_format: str
    log_level: str
    webhook_tolerance: timedelta
    proxy_hops: int
    readyz_token: str = field(repr=False)
    timings: Timings
    own_addresses: frozenset[str]
    warnings: tuple[str, ...] = ()

    @property
    def brand(self) -> Brand:
        """The installation's brand, where no survey is known or it has none of its own."""
        return Brand(self.brand_name, self.look, self.support_url, self.privacy_url)

    def brand_of(self, survey: Survey) -> Brand:
        """Give the brand that a survey asks for."""
        return survey.brand.over(self.brand)


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from `environ`, or from the process's environment and the `.env` of the working folder.

    A variable of the process goes before the same one in `.env`; an empty one counts as not set.
    Raises SettingsError naming every mistake.
    """
    env = _Environment(os.environ if environ is None else environ)
    if environ is None:
        env.read_dotenv()
    found = _read(env)
    timings = Timings(**{each.name: env.duration(each.name.upper(), default=each.default) for each in fields(Timings)})
    mistakes = [*env.mistakes(), *_contradictions(timings), *_mail_mistakes(env, found)]
    mistakes += _endpoint_mistakes(env, found)
    if mistakes:
        raise SettingsError("\n".join(["The settings can't be used:", *mistakes]))
    secrets, warnings = _webhook_secrets(found.pop("webhook_keys"))
    surveys = found.pop("surveys_file")
    made = endpoints.make_endpoints(found)
    accent, dark_accent, logo = (found.pop(name) for name in ("accent", "dark_accent", "logo"))
    server, sender, reply_to = (found.pop(name) for name in ("smtp", "mail_from", "mail_reply_to"))
    return Settings(
        **found,
        webhook_secrets=secrets,
        surveys_file=surveys.path,
        surveys=surveys.surveys,
        look=make_look(accent, dark_accent, logo),
        mail=Mail(server, sender, reply_to) if server else None,
        endpoints=made,
        timings=timings,
        own_addresses=_own_addresses([sender, reply_to], found["support_url"], surveys.surveys),
        warnings=(
            *warnings,
            *env.misspelt(),
            *env.quoted(),
            *_exposures(found, is_open_to_all=env.is_open_to_all),
            *_risks(timings, found["dixa_pace"]),
            *_odd_names(surveys.surveys),
            *(_borrowed_logos(found["brand_name"], surveys.surveys) if logo else ()),
            *_long_texts(surveys.surveys, are_short=found["short_links"]),
        ),
    )


def trust_certificates(settings: Settings) -> None:
    """Let all connections of this process trust SSL_CERT_FILE; OpenSSL, which makes them, looks there alone."""
    if settings.certificates:
        os.environ["SSL_CERT_FILE"] = str(settings.certificates)


class _Environment(Env):
    """The variables that were given. environs collects the mistakes of all that is asked for, until it is sealed."""

    def __init__(self, given: Mapping[str, str]) -> None:
        super().__init__(eager=False)
        self._given = given
        self._unread: list[str] = []
        self._asked: set[str] = set()
        self.is_open_to_all = False
        for name in ("webhook_keys", "tokens", "signing_keys", "http_url", "public_url", "redis_url"):
            self.add_parser(name, getattr(values, name))
        for name in (
            "surveys_file",
            "folder",
            "megabytes",
            "pace",
            "count",
            "language",
            "log_format",
            "switch",
            "bearer",
            "certificates",
        ):
            self.add_parser(name, getattr(values, name))
        self.add_parser("zone", values.time_zone)
        self.add_parser("level", values.log_level)
        for name in ("label", "light_accent", "dark_accent", "logo"):
            self.add_parser(name, getattr(brand, name))
        for name in ("link", "contact"):
            self.add_parser(name, getattr(urls, name))
        for name in ("endpoint_url", "webhook_secret", "hosts"):
            self.add_parser(name, getattr(endpoints, name))
        self.add_parser("smtp_url", mail.smtp_url)
        self.add_parser("mailbox", mail.mailbox)
        self.add_parser("duration", lambda value: value if isinstance(value, timedelta) else values.duration(value))

    def read_dotenv(self) -> None:
        """Add what `.env` says of variables that the process doesn't have. The file may begin with a BOM."""
        try:
            if _DOTENV.is_file():
                self.is_open_to_all = bool(_DOTENV.stat().st_mode & _FOR_EVERYBODY)
                found = dotenv_values(_DOTENV, encoding="utf-8-sig", interpolate=False)
                self._environ.update({name: value for name, value in found.items() if value is not None})
        except (OSError, UnicodeDecodeError) as error:
            self._unread.append(f"  {_DOTENV} can't be read ({type(error).__name__}). Write it as UTF-8 text.")

    def has(self, name: str) -> bool:
        """Say whether a variable was given, be it right or wrong."""
        return bool(self._get_value(name, ""))

    def misspelt(self) -> Iterator[str]:
        """Warn of each name in `.env` that is near one of ours, once all of ours have been asked for."""
        for name in self._environ:
            near = get_close_matches(name.upper(), self._asked, 1, 0.8)
            if near and name not in self._asked:
                yield f"{name} in {_DOTENV} is no setting, so it does nothing. Did you mean {near[0]}?"

    def quoted(self) -> Iterator[str]:
        """Warn of each value that came with its quotes, once all have been asked for."""
        yield from (f"{name} {_QUOTED}" for name in sorted(self._asked) if self._is_quoted(name))

    def mistakes(self) -> Iterator[str]:
        """Seal, and give a line for each mistake."""
        yield from self._unread
        try:
            self.seal()
        except EnvValidationError as error:
            for name, problems in cast("Mapping[str, list[str]]", error.error_messages).items():
                hint = f" It {_QUOTED}" if self._is_quoted(name) else ""
                yield from (_line(name, problem) + hint for problem in problems)

    def _is_quoted(self, name: str) -> bool:
        value = self._get_value(name, "")
        return len(value) > 1 and value[0] == value[-1] and value[0] in _QUOTES

    def _get_value(self, env_key: str, default: Any) -> Any:
        self._asked.add(env_key)
        return self._given.get(env_key, "").strip() or self._environ.get(env_key, "").strip() or default


def _read(env: _Environment) -> dict[str, Any]:
    """Ask for every variable but the timings; a value with a mistake is None until `env` is sealed."""
    return {
        "dixa_api_tokens": env.tokens("DIXA_API_TOKEN"),
        "webhook_keys": env.webhook_keys("DIXA_WEBHOOK_SECRETS"),
        "secret_keys": env.signing_keys("SECRET_KEYS"),
        "public_url": env.public_url("PUBLIC_URL"),
        "redis_url": env.redis_url("REDIS_URL"),
        "certificates": env.certificates("SSL_CERT_FILE", default=""),
        "dixa_api_url": env.http_url("DIXA_API_URL", default="https://dev.dixa.io/beta"),
        "dixa_pace": env.pace("DIXA_PACE", default="9.5/3"),
        "surveys_file": env.surveys_file("SURVEYS_FILE", default="config/surveys.toml"),
        "spool_dir": env.folder("SPOOL_DIR", default="var/spool"),
        "spool_most_bytes": env.megabytes("SPOOL_MOST_MB", default="256"),
        "brand_name": env.label("BRAND_NAME", default="Support"),
        "accent": env.light_accent("BRAND_ACCENT", default="#0b5d56"),
        "dark_accent": env.dark_accent("BRAND_ACCENT_DARK", default=""),
        "logo": env.logo("BRAND_LOGO", default=""),
        "default_language": env.language("DEFAULT_LANGUAGE", default="en"),
        "time_zone": env.zone("TIME_ZONE", default="UTC"),
        "short_links": env.switch("SHORT_LINKS", default="off"),
        "support_url": env.contact("SUPPORT_URL", default=""),
        "privacy_url": env.link("PRIVACY_URL", default=""),
        "smtp": env.smtp_url("SMTP_URL", default=""),
        "mail_from": env.mailbox("MAIL_FROM", default=""),
        "mail_reply_to": env.mailbox("MAIL_REPLY_TO", default=""),
        "delivery_webhook_url": env.endpoint_url("DELIVERY_WEBHOOK_URL", default=""),
        "delivery_webhook_secret": env.webhook_secret("DELIVERY_WEBHOOK_SECRET", default=""),
        "answer_webhook_url": env.endpoint_url("ANSWER_WEBHOOK_URL", default=""),
        "answer_webhook_secret": env.webhook_secret("ANSWER_WEBHOOK_SECRET", default=""),
        "slack_url": env.endpoint_url("SLACK_WEBHOOK_URL", default=""),
        "thank_you_hosts": env.hosts("THANK_YOU_HOSTS", default=""),
        "log_format": env.log_format("LOG_FORMAT", default="json"),
        "log_level": env.level("LOG_LEVEL", default="INFO"),
        "webhook_tolerance": env.duration("WEBHOOK_TOLERANCE", default="5m"),
        "proxy_hops": env.count("PROXY_HOPS", default="0"),
        "readyz_token": env.bearer("READYZ_TOKEN", default=""),
    }


def _line(name: str, problem: str) -> str:
    """Say what is wrong with a variable; environs' own words are only for one that isn't set."""
    if problem == "Environment variable not set.":
        return f"  {name} is not set. Example: {name}={_EXAMPLES[name]}"
    return f"  {name}: {problem}"


def _contradictions(timings: Timings) -> Iterator[str]:
    """Name the pairs that don't go together; one that couldn't be read is None and has its line already."""
    if timings.lease and timings.step_budget and timings.lease < 2 * timings.step_budget:
        yield "  LEASE: must be at least twice STEP_BUDGET, or a claim could end under a running step. Such as 60s."
    if timings.mail_budget and timings.mail_budget > _LONGEST_MAIL:
        yield "  MAIL_BUDGET: must not be over 30m: as long a mail keeps a thread of a worker. Such as 5m."
    if timings.backoff_first and timings.backoff_most and timings.backoff_most < timings.backoff_first:
        yield "  BACKOFF_MOST: must not be shorter than BACKOFF_FIRST. Such as 15m."


def _mail_mistakes(env: _Environment, found: Mapping[str, Any]) -> Iterator[str]:
    """Name what is missing for e-mail; a variable that couldn't be read has its line already."""
    if found["smtp"] and not env.has("MAIL_FROM"):
        yield "  MAIL_FROM is not set, and SMTP_URL is. Example: MAIL_FROM=Northwind <survey@northwind.example>"
    if not env.has("SMTP_URL") and found["surveys_file"]:
        for survey in found["surveys_file"].surveys:
            if "email" in survey.deliver:
                yield (
                    f'  SURVEYS_FILE: survey {survey.name!r} has "email" in deliver, which needs SMTP_URL and '
                    f'MAIL_FROM. Set them, or leave "email" out.'
                )


def _endpoint_mistakes(env: _Environment, found: Mapping[str, Any]) -> Iterator[str]:
    """Name what is missing for what the surveys want; one that couldn't be read has its line already."""
    names = ("DELIVERY_WEBHOOK_URL", "DELIVERY_WEBHOOK_SECRET", "ANSWER_WEBHOOK_URL", "ANSWER_WEBHOOK_SECRET")
    given = {name: env.has(name) for name in (*names, "SLACK_WEBHOOK_URL")}
    surveys = found["surveys_file"].surveys if found["surveys_file"] else ()
    return endpoints.find_mistakes(given, surveys, found["thank_you_hosts"] or ())


def _own_addresses(
    boxes: Sequence[Mailbox | None], support_url: str | None, surveys: Sequence[Survey]
) -> frozenset[str]:
    senders = [sender for survey in surveys for sender in survey.senders.values()]
    of_surveys = [box for sender in senders for box in (sender.email, sender.reply_to)]
    links = [support_url, *(survey.brand.support_url for survey in surveys)]
    mailed = [link.removeprefix("mailto:").partition("?")[0] for link in links if link and link.startswith("mailto:")]
    mailed = [read_address(each) or each for each in mailed]
    return frozenset([*(box.address for box in (*boxes, *of_surveys) if box), *mailed])


def _webhook_secrets(keys: tuple[str, ...]) -> tuple[tuple[bytes, ...], tuple[str, ...]]:
    """Decode the keys, with a warning for each that isn't hex: Dixa's own example key isn't, so it may be right."""
    warnings = [
        f"DIXA_WEBHOOK_SECRETS: number {number} is not hex, so its characters are the key."
        for number, key in enumerate(keys, start=1)
        if values.key_bytes(key) == key.encode()
    ]
    return tuple(map(values.key_bytes, keys)), tuple(warnings)


def _odd_names(surveys: Sequence[Survey]) -> Iterator[str]:
    """Warn of what Dixa may have added since, and is a slip more often."""
    for survey in surveys:
        for kind, names, known in (
            ("channel", (*survey.ask.channels, *survey.delays), CHANNELS),
            ("user type", survey.ask.user_types, USER_TYPES),
            ("assignee type", survey.ask.assignee_types, USER_TYPES),
        ):
            for name in dict.fromkeys(names):
                if name not in known:
                    yield (
                        f'survey "{survey.name}": Dixa documents no {kind} "{name}", so it may match nothing '
                        f"({', '.join(known)})."
                    )


def _borrowed_logos(usual_name: str, surveys: Sequence[Survey]) -> Iterator[str]:
    """Warn of a survey whose brand has another name and would show the installation's logo in its place."""
    for survey in surveys:
        if survey.brand.name not in {None, usual_name} and survey.brand.logo is None:
            yield (
                f'survey "{survey.name}": asks for "{survey.brand.name}" under the logo of BRAND_LOGO. '
                f'Write a `logo` in its [survey.brand]; "" is none.'
            )


def _long_texts(surveys: Sequence[Survey], *, are_short: bool) -> Iterator[str]:
    """Warn of a second signed link in a text that costs by its length."""
    for survey in surveys:
        if survey.stop_line and not are_short:
            yield (
                f'survey "{survey.name}": stop_line without SHORT_LINKS puts two long links into an SMS, which takes '
                f"two segments at least. Write SHORT_LINKS=on."
            )


def _exposures(found: Mapping[str, Any], *, is_open_to_all: bool) -> Iterator[str]:
    """Warn of what lets others read along, or send again what they have read."""
    for name, carried in (("PUBLIC_URL", "links and answers"), ("DIXA_API_URL", "the token and what customers say")):
        parts = urlsplit(found[name.lower()])
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            yield f"{name} is http://, so {carried} cross the network in the clear. Write https://."
    if found["webhook_tolerance"] > _TOLERANCE_AT_MOST:
        yield "WEBHOOK_TOLERANCE is over 1h: who got hold of a webhook can send it again for that long. Such as 5m."
    folder: Path | None = found["spool_dir"]
    if folder and _is_writable_by_others(folder):
        yield f"SPOOL_DIR can be written by others, who could put answers there. Run: chmod o-w {folder}"
    if is_open_to_all:
        yield f"{_DOTENV} can be read by everybody on this machine, and holds secrets. Run: chmod 600 {_DOTENV}"


def _is_writable_by_others(folder: Path) -> bool:
    """Say whether any account may write into a folder; of one that can't be looked at, the start says what is wrong."""
    try:
        return folder.is_dir() and bool(folder.stat().st_mode & _WRITABLE_BY_OTHERS)
    except OSError:
        return False


def _risks(timings: Timings, pace: Pace) -> Iterator[str]:
    """Warn of what works, and may ask or submit twice, or be refused by Dixa."""
    if timings.settle < timings.step_budget:
        yield "SETTLE is under STEP_BUDGET: a call that Dixa is slow with may be made a second time. Such as 60s."
    if timings.step_budget < _STEP_AT_LEAST:
        yield "STEP_BUDGET is under 5s: calls may be cut off before Dixa answers them. Such as 15s."
    if pace.rate > _DIXAS_LIMIT.rate or pace.burst > _DIXAS_LIMIT.burst:
        yield "DIXA_PACE is over 10/4, which is what Dixa allows a token: calls will be answered 429. Such as 9.5/3."
    if timings.keep_records < _KEEP_AT_LEAST:
        yield "KEEP_RECORDS is under 90d: a finished survey that is forgotten can be asked again."
