"""The settings: read once from the environment, all mistakes reported together.

How each kind of value is written is in `config.values`; what each variable is for, in `.env.example`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from config import endpoints, values
from config.brand import Look, make_look
from config.cautions import find_borrowed_logos, find_exposures, find_long_texts, find_odd_names
from config.endpoints import Endpoints
from config.environment import Environment
from config.mail import Mail, Mailbox, read_address
from config.own_brand import Brand
from config.surveys import Survey
from config.timings import Timings as Timings  # noqa: PLC0414 - part of the settings, so imported from here
from config.timings import find_contradictions, find_risks
from config.values import Pace


class SettingsError(Exception):
    """Afterword can't start with these settings; the text has a line for each mistake, with the way out."""


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
    bind: tuple[str, ...]
    spool_dir: Path | None
    spool_max_bytes: int
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
    env = Environment(environ)
    found = _read(env)
    timings = Timings(**{each.name: env.duration(each.name.upper(), default=each.default) for each in fields(Timings)})
    mistakes = [*env.mistakes(), *find_contradictions(timings), *_mail_mistakes(env, found)]
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
            *env.cautions(),
            *find_exposures(found),
            *find_risks(timings, found["dixa_pace"]),
            *find_odd_names(surveys.surveys),
            *(find_borrowed_logos(found["brand_name"], surveys.surveys) if logo else ()),
            *find_long_texts(surveys.surveys, are_short=found["short_links"]),
        ),
    )


def _read(env: Environment) -> dict[str, Any]:
    """Ask for every variable but the timings; a value with a mistake is None until `env` is sealed."""
    # Whoever sets PORT, as platforms do, reaches us from outside; without it we are behind a proxy on this machine.
    port = env.port("PORT", default="")
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
        "bind": env.addresses("BIND", default=f"0.0.0.0:{port}" if port else "127.0.0.1:8000"),
        "spool_dir": env.folder("SPOOL_DIR", default="var/spool"),
        "spool_max_bytes": env.megabytes("SPOOL_MAX_MB", default="256"),
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


def _mail_mistakes(env: Environment, found: Mapping[str, Any]) -> Iterator[str]:
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


def _endpoint_mistakes(env: Environment, found: Mapping[str, Any]) -> Iterator[str]:
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
