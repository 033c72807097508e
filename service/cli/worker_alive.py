"""`afterword worker-alive`: for the liveness check of a worker's container."""

import socket

import click

from config.fingerprint import take_fingerprint
from service.cli.context import open_client, open_settings
from service.cli.output import say
from service.records.processes import Processes
from service.records.redis import RecordsUnavailable


@click.command("worker-alive", short_help="Check the worker of this host.")
def worker_alive() -> None:
    """Exit with 0 if a worker of this host has reported itself of late and can read its queue, else with 1.

    A container has a host name of its own. Without Redis nothing is known, and a restart would mend nothing: that is 0.
    """
    settings = open_settings()
    try:
        running = Processes(open_client(settings), take_fingerprint(settings)).at_work()
    except RecordsUnavailable as error:
        say(f"unknown: {error}.")
        return
    here = [each for each in running if each.role == "worker" and each.host == socket.gethostname()]
    if not here:
        raise click.ClickException(f"no worker on {socket.gethostname()} has reported itself in the last half minute.")
    if all(each.queue_problem for each in here):
        raise click.ClickException(f"the worker can't read its queue: {here[0].queue_problem}.")
    say(f"ok: {len(here)} on {socket.gethostname()}, heard from {min(each.age for each in here):.0f} s ago.")
