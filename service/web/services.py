"""The settings and the core's objects, shared by the views."""

from collections.abc import Iterator
from dataclasses import dataclass

from flask import current_app

from config.settings import Settings
from service.dixa.outage import Outage
from service.dixa.pace import SharedPace
from service.intake.intake import Intake
from service.intake.recovery import Recovery
from service.intake.spool import Spool, SpoolUnavailable
from service.records.channels import Channels
from service.records.failure_guard import FailureGuard
from service.records.link_guard import LinkGuard
from service.records.opt_outs import HashedOptOuts
from service.records.processes import Processes
from service.records.records import Records
from service.records.short_links import ShortLinks
from service.rules.identity import Identities
from service.surveys.links import Links
from service.web.last_webhook import LastWebhook
from service.web.rejections import Rejections

WINDOW = "operator"
"""The name of the operator's blueprint. It is only imported if a login is set up."""


@dataclass(frozen=True, slots=True)
class Services:
    """The core's objects in this process."""

    settings: Settings
    records: Records
    intake: Intake
    identities: Identities
    links: Links
    short_links: ShortLinks
    link_guard: LinkGuard
    failure_guard: FailureGuard
    opt_outs: HashedOptOuts
    spool: Spool | None
    recovery: Recovery
    pace: SharedPace
    outage: Outage
    channels: Channels
    processes: Processes
    rejections: Rejections
    last_webhook: LastWebhook

    def prepare(self) -> Iterator[str]:
        """Create the spool's folder. Yield the reasons for the web not to start."""
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
    """Return the services of the current app."""
    found: Services = current_app.extensions["afterword"]
    return found
