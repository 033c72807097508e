"""The installation that is examined: its settings, and the stores of its state."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from config.fingerprint import take_fingerprint
from config.settings import Settings
from service.dixa.outage import Outage
from service.dixa.pace import SharedPace, open_pace
from service.intake.spool import Spool
from service.records.channels import Channels
from service.records.confirmation import ConfirmingRedis
from service.records.processes import Disagreement, Process, Processes, count_connections
from service.records.records import Records
from service.records.redis import RecordsUnavailable
from service.records.redis_check import Risk
from service.records.redis_pool import USUAL_CONNECTIONS


@dataclass(eq=False)
class Installation:
    """An installation at one moment: what is read once is kept, so make a new one for each examination.

    `sends` lets the checks of Slack and webhooks send a test message. `onlooker` is the name of this process if it
    doesn't report itself, but its settings are to be compared.
    """

    settings: Settings
    records: Records
    processes: Processes
    channels: Channels
    pace: SharedPace
    outage: Outage
    spool: Spool | None
    onlooker: str = ""
    sends: bool = False

    @cached_property
    def risks(self) -> Sequence[Risk]:
        """The risks of this Redis."""
        try:
            connections = count_connections(each.role for each in self.running)
        except RecordsUnavailable:  # A node of a Redis Cluster tells about itself and has no keys.
            connections = USUAL_CONNECTIONS
        return self.records.risks(connections)

    @cached_property
    def running(self) -> Sequence[Process]:
        """The running processes, as they have reported themselves."""
        return self.processes.at_work()

    @cached_property
    def disagreements(self) -> Sequence[Disagreement]:
        """Where the running processes disagree, with this one if it is an onlooker."""
        return self.processes.find_disagreements(self.onlooker, self.running)


def open_installation(
    settings: Settings, client: ConfirmingRedis, records: Records, spool: Spool | None = None, *, onlooker: str = ""
) -> Installation:
    """Return the installation as a process sees it that doesn't have its parts at hand."""
    return Installation(
        settings=settings,
        records=records,
        processes=Processes(client, take_fingerprint(settings)),
        channels=Channels.beside(records),
        pace=open_pace(settings, client),
        outage=Outage(client),
        spool=spool,
        onlooker=onlooker,
    )
