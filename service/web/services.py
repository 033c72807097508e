"""What the views reach for: the settings and the wired core, kept with the app."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv6Address
from urllib.parse import urlsplit

from flask import current_app

from config.settings import Settings
from service.dixa.outage import Outage
from service.dixa.pace import SharedPace
from service.intake.intake import Intake
from service.intake.recovery import Recovery
from service.intake.spool import Spool, SpoolUnavailable
from service.records.channels import Channels
from service.records.link_guard import Posts
from service.records.opt_outs import HashedStops
from service.records.processes import Processes
from service.records.records import Records
from service.records.short_links import ShortLinks
from service.surveys.links import Links
from service.web.rejections import Rejections


@dataclass(frozen=True, slots=True)
class Services:
    """The core, as this process is wired to it."""

    settings: Settings
    records: Records
    intake: Intake
    links: Links
    short_links: ShortLinks
    posts: Posts
    stops: HashedStops
    spool: Spool | None
    recovery: Recovery
    pace: SharedPace
    outage: Outage
    channels: Channels
    processes: Processes
    rejections: Rejections

    def problems_at_start(self) -> Iterator[str]:
        """Name what no web can work with. Makes the spool's folder."""
        if problem := self.records.unusable():
            yield f"REDIS_URL can't be used: {problem}."
        if self.spool:
            try:
                self.spool.prepare()
            except SpoolUnavailable as error:
                waiting = self.spool.waiting()
                moved = f" Files that wait in it: {waiting}. Move its *.json to the new one first." if waiting else ""
                yield (
                    f"SPOOL_DIR can't be used: {error}. Name a folder on a disk of this host, or write SPOOL_DIR=off."
                    f"{moved}"
                )


def services() -> Services:
    """The core of the app that serves this request."""
    found: Services = current_app.extensions["afterword"]
    return found


def host_of(url: str) -> str:
    """The host of a URL as `normalize_host` spells it, without the port."""
    host = urlsplit(url).hostname or ""
    return normalize_host(f"[{host}]" if ":" in host else host)


def normalize_host(host: str) -> str:
    """Spell a host, of which there are several spellings, in one way; one that is none is left as it is."""
    host = host.lower().removesuffix(".")
    if host.startswith("[") and host.endswith("]"):
        with suppress(ValueError):
            return f"[{IPv6Address(host[1:-1])}]"
    return host
