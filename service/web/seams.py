"""What the views reach for: the settings and the wired core, kept with the app."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import current_app

from config.settings import Settings
from service.dixa.pace import SharedPace
from service.surveys.intake import Intake
from service.surveys.links import Links
from service.surveys.posts import Posts
from service.surveys.processes import Processes
from service.surveys.records import Records
from service.surveys.short_links import ShortLinks
from service.surveys.spool import Spool
from service.surveys.stops import HashedStops
from service.web.recovery import Recovery


@dataclass(frozen=True, slots=True)
class Seams:
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
    processes: Processes


def seams() -> Seams:
    """The core of the app that serves this request."""
    found: Seams = current_app.extensions["afterword"]
    return found


def host_of(url: str) -> str:
    """The host of a URL as clients send it: without the port, and in small letters."""
    host = urlsplit(url).hostname or ""
    return f"[{host}]" if ":" in host else host
