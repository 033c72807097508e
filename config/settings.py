"""The table of settings: each field is an environment variable with its parser, default and help.

After a change, run `make docs`: docs/settings.md and .env.example are made from this table. `config.loader` reads it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from config import address_parsers, operators, parsers, redis_urls, secret_parsers
from config.endpoints import Mail, SignedEndpoint, SmtpServer
from config.environment import Variable, variable
from service.surveys import urls
from service.surveys.brand import Brand
from service.surveys.definition import Survey
from service.surveys.mailbox import Mailbox, mailbox, mailboxes, read_address
from service.surveys.retention import ArchiveRetention, Retention
from service.surveys.states import SurveyEvent
from service.surveys.theme import Logo, Theme, dark_accent, label, light_accent, logo, make_theme
from service.surveys.toml.loader import SurveysFile


def _timing(default: str, help_text: str, *, former_name: str = "", group: str = "") -> Any:
    made = Variable(parsers.duration, help_text, default, former_name=former_name, group=group)
    return field(default=parsers.duration(default), metadata={"variable": made})


@dataclass(frozen=True, slots=True)
class Timings:
    """Durations. Few installations change them."""

    lease: timedelta = _timing(
        "60s",
        "How long a worker owns a survey that it works on. At least twice `STEP_BUDGET`.",
        group="Timings that few installations change",
    )
    step_budget: timedelta = _timing("15s", "How long one attempt at a survey may take, calls to Dixa included.")
    mail_budget: timedelta = _timing(
        "5m",
        "How long handing over one e-mail may take. Some servers delay every client for minutes (RFC 5321 allows "
        "five for the greeting). The lease of that survey is longer by this. At most four e-mails a worker wait.",
    )
    reconcile_after: timedelta = _timing(
        "60s", "How long after a call whose response was lost Dixa is queried for its outcome.", former_name="SETTLE"
    )
    dixa_lag: timedelta = _timing(
        "5m",
        "How long after an event Dixa's API may still report the state before it. Until then, a 404, 409, 423 or "
        "425, or a conversation that isn't closed yet, is checked again later.",
    )
    requeue_after: timedelta = _timing(
        "60s",
        "After this time a queued task that no worker has begun is queued again.",
        former_name="HINT_AGAIN",
    )
    backoff_min: timedelta = _timing(
        "5s",
        "The longest pause after a first failure; the pause is random. It doubles up to `BACKOFF_MAX`.",
        former_name="BACKOFF_FIRST",
    )
    backoff_max: timedelta = _timing("15m", "The longest pause between two tries.", former_name="BACKOFF_MOST")
    offer_max_age: timedelta = _timing(
        "72h",
        "How late a survey may be offered. After that it is dropped (`too_late`).",
        former_name="OFFER_WITHIN",
    )
    answer_max_age: timedelta = _timing(
        "30d", "How long Afterword tries to submit an answer to Dixa.", former_name="ANSWER_WITHIN"
    )
    relay_interval: timedelta = _timing(
        "1500ms",
        "How often a worker looks for due surveys. It looks sooner when one is due that it knows of.",
        former_name="RELAY_EVERY",
    )
    recovery_wait: timedelta = _timing(
        "10s", "How long answers wait after Redis was away, or a worker began: a spool may hold a later answer."
    )
    recover_interval: timedelta = _timing(
        "5m", "How often one of the workers compares Dixa's closes with the records (`RECOVER_CLOSES`)."
    )
    archive_interval: timedelta = _timing(
        "5s", "How often a worker writes the archive. Several changes of a survey within this time are one write."
    )
    token_retry_after: timedelta = _timing(
        "1m",
        "How long a token that Dixa refuses is not used, at most 5m. A token that Dixa accepts is not checked again "
        "for this time.",
        former_name="TOKEN_PAUSE",
    )
    record_retention: timedelta = _timing(
        "90d",
        "How long a finished survey is remembered, which prevents a second one. Under 90d there is a warning.",
        former_name="KEEP_RECORDS",
        group="How long data is kept",
    )
    address_retention: timedelta = _timing(
        "72h", "How long the e-mail address of a survey that failed is kept, for `afterword retry`."
    )
    comment_retention: timedelta = _timing(
        "30d", "How long a comment is kept that could not be passed on, for `afterword retry`."
    )
    facts_retention: timedelta = _timing(
        "90d",
        "How long the facts of a decision, the tags and the languages of a finished survey are kept. At least as long "
        "as its link works, since an alert names them.",
    )
    agent_retention: timedelta = _timing(
        "90d",
        "How long the id of the agent of a finished survey is kept. At least as long as its link works.",
    )


@dataclass(frozen=True)
class Settings:
    """The settings of one installation. `warnings` go to the log."""

    dixa_api_tokens: tuple[str, ...] = variable(
        secret_parsers.api_tokens,
        "The API token as Dixa shows it, without `Bearer`. Several, separated by commas, share the load.",
        name="DIXA_API_TOKEN",
        example="eyJhbGciOi… (made in Dixa's settings)",
        group="Required",
        is_secret=True,
    )
    webhook_secrets: tuple[bytes, ...] = variable(
        secret_parsers.webhook_keys,
        "The secret key of the webhook subscription: 16 bytes or more, in hex as Dixa shows it. Several, separated by "
        "commas, are all tried.",
        name="DIXA_WEBHOOK_SECRETS",
        example="5f3a9c… (shown with the webhook subscription in Dixa)",
        is_secret=True,
    )
    secret_keys: tuple[str, ...] = variable(
        secret_parsers.signing_keys,
        f"Signs the links; 32 characters or more. Make one: `{secret_parsers.MAKE_A_KEY}`. To rotate it, write the new "
        "key first (`new,old`), and drop the old one when its links have expired.",
        example=f"what this prints: {secret_parsers.MAKE_A_KEY}",
        is_secret=True,
    )
    public_url: str = variable(
        address_parsers.public_url,
        "Where customers reach the survey pages, such as `https://feedback.example.com`.",
        example="https://feedback.example.com",
    )
    redis_url: str = variable(
        redis_urls.redis_url,
        "A Redis with `appendonly yes`, `appendfsync always` and `maxmemory-policy noeviction`: `redis://host:6379/0`, "
        "`rediss://host:6380/0` (TLS) or `unix:///run/redis/redis.sock`. With Redis Sentinel: "
        "`sentinel://a:26379,b:26379,c:26379/mymaster/0`, or `sentinels://` (TLS). Options after a `?`: `db`, "
        "`username`, `password`, `protocol` (2 or 3), with TLS `ssl_cert_reqs`, `ssl_ca_certs`, `ssl_certfile`, "
        "`ssl_keyfile` and `ssl_check_hostname`, and for the sentinels themselves `sentinel_username` and "
        "`sentinel_password`. All others are refused. See docs/high-availability.md.",
        example="redis://localhost:6379/0",
        is_secret=True,
    )

    redis_replicas: int = variable(
        parsers.replicas,
        "How many replicas of Redis must have a write before a webhook or an answer gets its response, and before a "
        "call is made. With `1`, the loss of the primary loses nothing. See docs/high-availability.md.",
        default="0",
        group="Surveys and storage",
    )
    surveys_file: SurveysFile = variable(
        parsers.surveys_file,
        "The file of the surveys: their rules, texts and channels.",
        default="config/surveys.toml",
    )
    spool_dir: Path | None = variable(
        parsers.folder,
        "Where webhooks, answers and opt-outs wait while Redis can't be written. `off`, for hosts whose disk dies "
        "with the process: they are refused meanwhile.",
        default="var/spool",
    )
    spool_max_bytes: int = variable(
        parsers.megabytes,
        "How much may wait there, in MB. Beyond it, webhooks are refused with 503. The last quarter is for webhooks "
        "alone.",
        name="SPOOL_MAX_MB",
        default="256",
        former_name="SPOOL_MOST_MB",
    )

    archive: str | None = variable(
        address_parsers.archive_url,
        "The database of the archive, which keeps a row for each survey for the reports: a file of SQLite, "
        "`sqlite:////var/lib/afterword/archive.db`, or `postgresql://user:password@host/database` if web and workers "
        "have different hosts (it needs `pip install --require-hashes -r requirements-postgres.txt`). By default it is "
        "the file `archive.db` beside `SPOOL_DIR`. `off` keeps none. See docs/archive.md.",
        name="ARCHIVE_URL",
        default="",
        group="Archive",
        is_secret=True,
    )
    archive_comments: bool = variable(
        parsers.switch,
        "`on`: the archive keeps comments, too. They are in Dixa in any case.",
        default="off",
    )
    archive_for: timedelta = variable(
        parsers.duration, "How long the archive keeps a survey, from its close on.", default="1825d"
    )
    archive_agents_for: timedelta = variable(parsers.duration, "How long it keeps the id of the agent.", default="395d")
    archive_comments_for: timedelta = variable(
        parsers.duration,
        "How long it keeps a comment, from the answer on. Once the record has expired (`RECORD_RETENTION`), an erasure "
        "finds the comment by the number of its conversation only.",
        default="90d",
    )

    bind: tuple[str, ...] = variable(
        address_parsers.listen_addresses,
        "Where the web process listens: an address and a port, `[::]:8000` for IPv6, or `unix:/run/afterword.sock`. "
        "Several are separated by commas. Behind a proxy on another machine it is `0.0.0.0:8000`.",
        default="127.0.0.1:8000",
        group="Network",
    )
    port: int | None = variable(
        address_parsers.port,
        "Set by platforms. Without `BIND`, the web process listens on this port of every IPv4 address.",
        default="",
    )
    proxy_hops: int = variable(
        parsers.count,
        "The number of your proxies in front that set `X-Forwarded-For`, `-Proto` and `-Host`.",
        default="0",
    )
    certificates: Path | None = variable(
        parsers.certificates,
        "A file (PEM) of your own certificate authorities, trusted for Redis, Dixa, your receivers and the mail "
        "server. It replaces this machine's. The public authorities are trusted beside it, but not for Redis.",
        name="SSL_CERT_FILE",
        default="",
    )
    dixa_api_url: str = variable(
        address_parsers.http_url, "Dixa's API, version included.", default="https://dev.dixa.io/beta"
    )
    dixa_pace: parsers.Pace = variable(
        parsers.pace,
        "Requests per second and burst of each token. Dixa allows 10/4. The default got no 429 in an hour (measured).",
        default="9.9/3",
    )
    webhook_authorizations: tuple[str, ...] | None = variable(
        secret_parsers.authorizations,
        "If the webhook subscription in Dixa has an authorization, the same here: `Bearer token` or "
        "`Basic user:password`, with a secret of 16 characters or more. It is checked beside the signature. To rotate "
        "it, write the old and the new one, separated by a comma.",
        name="DIXA_WEBHOOK_AUTHORIZATION",
        default="",
        is_secret=True,
    )
    webhook_tolerance: timedelta = variable(
        parsers.duration, "How far the time in a webhook's signature may be from ours.", default="5m"
    )
    readyz_token: str | None = variable(
        secret_parsers.bearer_token,
        "Requests to `/readyz` with this bearer token, and those from this machine itself, get the degraded parts. All "
        "others get only the status.",
        default="",
        is_secret=True,
    )

    metrics_token: str | None = variable(
        secret_parsers.bearer_token,
        "Requests to `/metrics` need this bearer token. Without it there is no such page. See docs/monitoring.md.",
        default="",
        is_secret=True,
    )
    api_read_token: str | None = variable(
        secret_parsers.bearer_token,
        "Requests to `/api/v1`, which has surveys and answers for your programs, need this bearer token. Without it "
        "there are no such routes. See docs/exports.md.",
        default="",
        is_secret=True,
    )
    dixa_card_token: str | None = variable(
        secret_parsers.bearer_token,
        "The bearer token of a Custom Card in Dixa, which shows agents the customer's last surveys. Without it there "
        "is no such route. With it, a cooldown slot names five surveys and is kept for `RECORD_RETENTION` at least. "
        "See docs/dixa-card.md.",
        default="",
        is_secret=True,
    )

    brand_name: str = variable(
        label,
        "The name on the survey page. A survey can have its own name, accents, logo and links: `[survey.brand]`.",
        default="Support",
        group="Brand and pages",
    )
    brand_accent: str = variable(
        light_accent,
        "The brand's colour on page and e-mail, `#rrggbb`. A colour under 4.5:1 anywhere is refused, with the nearest "
        "readable one.",
        default="#0b5d56",
    )
    brand_accent_dark: str | None = variable(
        dark_accent,
        "The same on a dark ground. Without it, it is made from `BRAND_ACCENT`; for the default that is `#6fd6c6`.",
        default="",
    )
    brand_logo: Logo | None = variable(
        logo,
        "The logo: an SVG or PNG file of at most 3,000 bytes. On the page it takes the place of the name, which "
        "becomes its alternative text. In the dark it gets a light plate, unless it is an SVG that uses "
        "`prefers-color-scheme`. In the e-mail it is shown if it is a PNG, since Gmail shows no SVG. A relative path "
        "begins in the working folder.",
        default="",
    )
    default_language: str = variable(
        parsers.language,
        "The language of pages and messages if neither the conversation nor the browser names one: `da`, `de`, `en`, "
        "`fr` … (30 of them). SMS and WhatsApp always use it, since Dixa reports no language for them.",
        default="en",
    )
    time_zone: ZoneInfo = variable(
        parsers.time_zone,
        "The time zone of dates that customers read, such as `Europe/Copenhagen` (IANA). A survey with a "
        "`send_window` uses that one's.",
        default="UTC",
    )
    recover_closes: bool = variable(
        parsers.switch,
        "`on`: one of the workers finds closes whose webhook never arrived, within a tenth of `DIXA_PACE`, and takes "
        "them like any other. See docs/outages-and-restore.md.",
        default="on",
    )
    short_links: bool = variable(
        parsers.switch,
        "`on`: SMS and WhatsApp messages, which cost by their length, carry a link of 12 characters after "
        "`PUBLIC_URL/s/`, kept in Redis. A signed link has 81 or more. See docs/delivery-channels.md.",
        default="off",
    )
    support_url: str | None = variable(
        urls.contact,
        "Where a customer gets help: a page, or `mailto:somebody@example.com`; at most 200 bytes. No link if empty.",
        default="",
    )
    privacy_url: str | None = variable(
        urls.link,
        "Your privacy notice; at most 200 bytes, since it is on every page. If empty, pages link to `/privacy`, a "
        "short one of ours.",
        default="",
    )
    operator: str | None = variable(
        parsers.operator,
        "Who is responsible for the surveys, on `/privacy` and `/accessibility`: a name, perhaps with an address; at "
        "most 200 characters. Without it, it is the brand's name.",
        default="",
        example="Northwind Ltd, 1 High Street, Leeds LS1 1AA",
    )

    operator_logins: Mapping[str, operators.Login] | None = variable(
        operators.logins,
        "Who may use the window at `/operator`: `name:role:hash`, several separated by commas or line breaks. The role "
        f"is `look` or `act`. Make one: `{operators.MAKE_A_LOGIN}`. Without this and `OPERATOR_PROXY_SECRET` there is "
        "no window. See docs/operator-window.md.",
        default="",
        group="The operator's window",
        is_secret=True,
    )
    operator_url: str | None = variable(
        address_parsers.public_url,
        "A host of its own for the window, such as `https://survey-admin.example.com`. It is then not at `PUBLIC_URL`.",
        default="",
    )
    dixa_app_url: str | None = variable(
        address_parsers.public_url,
        "Where your agents open Dixa, such as `https://northwind.dixa.com`. The window links to conversations there; "
        "without it, it shows their numbers alone.",
        default="",
    )
    operator_proxy_secret: str | None = variable(
        secret_parsers.bearer_token,
        "For a login proxy in front (oauth2-proxy, Authelia, Cloudflare Access): the secret that it sends in the "
        "header `X-Operator-Secret` with each request to the window.",
        default="",
        is_secret=True,
    )
    operator_proxy_header: str = variable(
        operators.header_name,
        "The header in which the login proxy names the user.",
        default="X-Forwarded-Email",
    )
    operator_proxy_act: frozenset[str] | None = variable(
        operators.proxy_users,
        "The users of the login proxy with the role `act`, separated by commas; `*` for all. All others may only look.",
        default="",
    )

    smtp_server: SmtpServer | None = variable(
        address_parsers.smtp_url,
        'The mail server, for `deliver = ["email"]`: `smtp://user:password@host:587` (STARTTLS, required), '
        "`smtps://user:password@host:465` (TLS from the start), or `smtp://localhost:25?starttls=off`. Special "
        "characters in the password as `%XX`.",
        name="SMTP_URL",
        default="",
        group="E-mail",
        is_secret=True,
    )
    mail_from: Mailbox | None = variable(
        mailbox,
        "The sender of the e-mails, such as `Northwind <survey@northwind.example>`. Its domain needs SPF and DKIM.",
        default="",
    )
    mail_reply_to: Mailbox | None = variable(
        mailbox, "Where replies go, if not to the sender: your support.", default=""
    )

    digest_to: tuple[Mailbox, ...] | None = variable(
        mailboxes,
        "Who gets the weekly digest by e-mail: your own addresses, separated by commas. It has the numbers of the "
        "week, what changed and what is broken. It needs `SMTP_URL`, `MAIL_FROM` and the archive. See docs/digest.md.",
        default="",
        example="lead@northwind.example, Ida Holm <ida@northwind.example>",
        group="Weekly digest",
    )
    digest_slack_url: str | None = variable(
        address_parsers.endpoint_url,
        "An incoming webhook of Slack, or of a compatible service, that gets the digest.",
        name="DIGEST_SLACK_WEBHOOK_URL",
        default="",
        is_secret=True,
    )
    digest_at: parsers.WeeklyTime = variable(
        parsers.weekly_time,
        "When it is sent, in `TIME_ZONE`. It is about the seven days before that day.",
        default="Mon 08:00",
    )

    delivery_webhook_url: str | None = variable(
        address_parsers.endpoint_url,
        'Your own sender of links, for `deliver = ["webhook"]`: `https://`, or `http://` on this machine.',
        default="",
        group="Webhooks and Slack",
        is_secret=True,
    )
    delivery_webhook_secret: str | None = variable(
        secret_parsers.webhook_secret,
        "The secret that it verifies with (Standard Webhooks): `whsec_` and Base64 of 24 bytes or more. Make one: "
        f"`{secret_parsers.MAKE_A_WHSEC_KEY}`",
        default="",
        is_secret=True,
    )
    answer_webhook_url: str | None = variable(
        address_parsers.endpoint_url,
        "Your own receiver of answers, for `webhook = true` in `[[survey.on_answer]]`.",
        default="",
        is_secret=True,
    )
    answer_webhook_secret: str | None = variable(
        secret_parsers.webhook_secret, "Its secret, made like the one above.", default="", is_secret=True
    )
    events_webhook_url: str | None = variable(
        address_parsers.endpoint_url,
        "Your own receiver of events, such as `survey.asked` or `survey.answered`. See docs/events.md.",
        default="",
        is_secret=True,
    )
    events_webhook_secret: str | None = variable(
        secret_parsers.webhook_secret, "Its secret, made like the one above.", default="", is_secret=True
    )
    events: frozenset[SurveyEvent] = variable(
        parsers.events,
        "The events that it gets, separated by commas.",
        default=", ".join(each.type for each in SurveyEvent),
    )
    events_comments: bool = variable(
        parsers.switch, "`on`: `survey.answered` has the comment, while Dixa has it not yet.", default="off"
    )
    slack_url: str | None = variable(
        address_parsers.endpoint_url,
        "An incoming webhook of Slack, or of a compatible service, for `slack = true` in `[[survey.on_answer]]`.",
        name="SLACK_WEBHOOK_URL",
        default="",
        is_secret=True,
    )
    thank_you_hosts: tuple[str, ...] | None = variable(
        address_parsers.hosts,
        "The hosts that a `thank_you` in `[[survey.on_answer]]` may be at, separated by commas: `reviews.example.com`.",
        default="",
    )

    log_format: str = variable(parsers.log_format, "`json` or `console`.", default="json", group="Logging")
    log_level: str = variable(parsers.log_level, "`DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`.", default="INFO")
    sentry_dsn: str | None = variable(
        address_parsers.sentry_dsn,
        "A project of Sentry, or of a compatible service, that gets each error of the log: "
        "`https://key@sentry.example.com/1`. It needs `pip install --require-hashes -r requirements-sentry.txt`.",
        default="",
        is_secret=True,
    )

    timings: Timings = field(kw_only=True)
    warnings: tuple[str, ...] = ()

    @property
    def surveys(self) -> tuple[Survey, ...]:
        """The surveys of the file. None if it has a mistake."""
        found: SurveysFile | None = self.surveys_file
        return found.surveys if found else ()

    @cached_property
    def theme(self) -> Theme:
        """The colours and the logo of the installation."""
        return make_theme(self.brand_accent, self.brand_accent_dark, self.brand_logo)

    @cached_property
    def brand(self) -> Brand:
        """The installation's brand, for pages of no survey and surveys without a brand of their own."""
        return Brand(self.brand_name, self.theme, self.support_url, self.privacy_url)

    def brand_of(self, survey: Survey) -> Brand:
        """Return the brand of a survey."""
        return survey.brand.with_defaults(self.brand)

    @cached_property
    def mail(self) -> Mail | None:
        """The e-mail channel, if it is set up."""
        if self.smtp_server is None or self.mail_from is None:
            return None
        return Mail(self.smtp_server, self.mail_from, self.mail_reply_to)

    @cached_property
    def retention(self) -> Retention:
        """The retention of single fields. Until its link expires, an answer may still need the facts and the agent."""
        timings, needed = self.timings, max(survey.expires for survey in self.surveys)
        return Retention(
            address=timings.address_retention,
            comment=timings.comment_retention,
            facts=max(timings.facts_retention, needed),
            agent=max(timings.agent_retention, needed),
        )

    @property
    def total_rate(self) -> float:
        """The requests per second of all tokens together."""
        return self.dixa_pace.rate * len(self.dixa_api_tokens)

    @cached_property
    def archive_url(self) -> str | None:
        """The database of the archive, or None if there is none."""
        if self.archive is None:
            return f"sqlite:///{self.spool_dir.parent / 'archive.db'}" if self.spool_dir else None
        return None if self.archive == "off" else self.archive

    @property
    def archive_retention(self) -> ArchiveRetention:
        """How long the archive keeps what."""
        comments = self.archive_comments_for if self.archive_comments else None
        return ArchiveRetention(self.archive_for, self.archive_agents_for, comments)

    @property
    def has_window(self) -> bool:
        """Whether the operator's window is set up."""
        return bool(self.operator_logins or self.operator_proxy_secret)

    @property
    def window_url(self) -> str:
        """The host of the operator's window."""
        return self.operator_url or self.public_url

    @property
    def has_digest(self) -> bool:
        """Whether anybody gets the weekly digest."""
        return bool(self.digest_to or self.digest_slack_url)

    @property
    def delivery_webhook(self) -> SignedEndpoint | None:
        """The sender of links, if it is set up."""
        return _signed(self.delivery_webhook_url, self.delivery_webhook_secret)

    @property
    def answer_webhook(self) -> SignedEndpoint | None:
        """The receiver of answers, if it is set up."""
        return _signed(self.answer_webhook_url, self.answer_webhook_secret)

    @property
    def events_webhook(self) -> SignedEndpoint | None:
        """The receiver of events, if it is set up."""
        return _signed(self.events_webhook_url, self.events_webhook_secret)

    @property
    def sent_events(self) -> frozenset[SurveyEvent]:
        """The events that are sent."""
        return self.events if self.events_webhook else frozenset()

    @cached_property
    def own_addresses(self) -> frozenset[str]:
        """Our own senders and support addresses. They belong to no customer."""
        senders = [sender for survey in self.surveys for sender in survey.senders.values()]
        boxes = [self.mail_from, self.mail_reply_to, *(box for each in senders for box in (each.email, each.reply_to))]
        links = [self.support_url, *(survey.brand.support_url for survey in self.surveys)]
        mailed = [
            each.removeprefix("mailto:").partition("?")[0] for each in links if each and each.startswith("mailto:")
        ]
        return frozenset([*(box.address for box in boxes if box), *(read_address(each) or each for each in mailed)])


def _signed(url: str | None, secret: str | None) -> SignedEndpoint | None:
    return SignedEndpoint(url, secret) if url and secret else None
