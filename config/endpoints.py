"""Where we call out to: the team's own webhooks, Slack, and the pages that customers may be sent to.

How each is written in a variable, as in `config.values`. The addresses are secrets themselves: Slack's are, and others
have a token in them. So no message repeats one.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from marshmallow import ValidationError

from config.hosts import ascii_host, is_host
from config.surveys import Survey

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_LEAST_BYTES = 24
"""Of a secret, as the Standard Webhooks scheme has it."""

_HOST = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*")


@dataclass(frozen=True, slots=True)
class SignedEndpoint:
    """A receiver of signed webhooks."""

    url: str = field(repr=False)
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Whom we tell what. None: nobody."""

    delivery: SignedEndpoint | None = None
    answer: SignedEndpoint | None = None
    slack: str | None = field(default=None, repr=False)
    thank_you_hosts: tuple[str, ...] = ()


def endpoint_url(text: str) -> str | None:
    """Read where to post to. Without TLS only on this machine."""
    if not text:
        return None
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise ValidationError("is not a URL: its host or port can't be read.") from None
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValidationError("has white space or other than plain ASCII in it. Write such characters as %XX.")
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.fragment or parts.username is not None:
        raise ValidationError("is not a URL that can be posted to. Write https://sender.example.com/hooks/survey.")
    if not is_host(parts.hostname):
        raise ValidationError("has a host that no name can be: a part of it is empty, over 63 characters, or odd.")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ValidationError("would send customers' links or answers in the clear. Write https://.")
    return text


def webhook_secret(text: str) -> str | None:
    """Read the key that a receiver verifies with, `whsec_` and Base64."""
    if not text:
        return None
    command = "import base64, secrets; print('whsec_' + base64.b64encode(secrets.token_bytes(32)).decode())"
    way_out = f'Make one: python3 -c "{command}"'
    try:
        key = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        raise ValidationError(f"is not Base64. {way_out}") from None
    if not text.startswith("whsec_") or len(key) < _LEAST_BYTES:
        raise ValidationError(f"doesn't begin with whsec_, or has fewer than {_LEAST_BYTES} bytes. {way_out}")
    if len(set(key)) == 1:
        raise ValidationError(f"is one byte again and again. {way_out}")
    return text


def hosts(text: str) -> tuple[str, ...]:
    """Read the names of hosts, separated by commas."""
    try:
        found = tuple(ascii_host(part.strip()) for part in text.split(",") if part.strip())
    except ValueError:
        found = ("",)
    if not all(_HOST.fullmatch(each) for each in found):
        raise ValidationError("has something else than names of hosts. Write reviews.example.com, shop.example.com.")
    return found


def make_endpoints(found: dict[str, Any]) -> Endpoints:
    """Take what was read of the variables out of `found`."""
    signed = {}
    for name in ("delivery", "answer"):
        url, secret = found.pop(f"{name}_webhook_url"), found.pop(f"{name}_webhook_secret")
        signed[name] = SignedEndpoint(url, secret) if url and secret else None
    return Endpoints(**signed, slack=found.pop("slack_url"), thank_you_hosts=found.pop("thank_you_hosts"))


def find_mistakes(given: Mapping[str, bool], surveys: tuple[Survey, ...], hosts: tuple[str, ...]) -> Iterator[str]:
    """Name what is missing for what the surveys want; `given` says which variables are set, be they right or wrong."""
    for name in ("DELIVERY_WEBHOOK", "ANSWER_WEBHOOK"):
        if given[f"{name}_URL"] != given[f"{name}_SECRET"]:
            missing, there = ("SECRET", "URL") if given[f"{name}_URL"] else ("URL", "SECRET")
            yield f"  {name}_{missing} is not set, and {name}_{there} is. Set both, or neither."
    for survey in surveys:
        wanted = (
            ("webhook" in survey.deliver, '"webhook" in deliver', "DELIVERY_WEBHOOK_URL"),
            (any(each.slack for each in survey.after), "slack = true in after", "SLACK_WEBHOOK_URL"),
            (any(each.webhook for each in survey.after), "webhook = true in after", "ANSWER_WEBHOOK_URL"),
        )
        for is_wanted, what, variable in wanted:
            if is_wanted and not given[variable]:
                yield f"  SURVEYS_FILE: survey {survey.name!r} has {what}, which needs {variable}."
        for host in sorted({each.thank_you_host for each in survey.after if each.thank_you} - set(hosts)):
            yield (
                f"  SURVEYS_FILE: survey {survey.name!r} has a thank_you at {host}, which is not in THANK_YOU_HOSTS. "
                f"Add it there."
            )
