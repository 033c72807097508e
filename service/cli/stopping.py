"""`afterword stop` and `unstop`: what customers can do themselves, done for them."""

from uuid import UUID

import click

from service.cli.opening import open_settings, redis_errors
from service.cli.saying import say
from service.surveys.stops import HashedStops
from service.surveys.store import connect


def _requester(text: str) -> str:
    """Read an id as Dixa writes it, in small letters; anything else would stop nobody, and nobody would notice."""
    try:
        return str(UUID(text))
    except ValueError as error:
        problem = "not a requester's id. Write it like 7b2d1c3e-5f4a-4d0b-9c8e-1a2b3c4d5e6f."
        raise click.BadParameter(problem) from error


@click.command(short_help="Ask a customer nothing any more.")
@click.argument("requester_id", type=_requester)
def stop(requester_id: str) -> None:
    """Ask a customer nothing any more, as they can themselves. The id is the requester's in Dixa."""
    with redis_errors():
        _stops().add(requester_id)
    say("Stopped: this requester is asked nothing any more. To undo it: afterword unstop")


@click.command(short_help="Ask a customer again, who wants it.")
@click.argument("requester_id", type=_requester)
def unstop(requester_id: str) -> None:
    """Ask a customer again who has stopped the surveys; only when they want it. The id is the requester's in Dixa."""
    with redis_errors():
        had_stopped = _stops().remove(requester_id)
    if not had_stopped:
        raise click.ClickException("This requester has not stopped the surveys. Is it the id that Dixa shows?")
    say("Undone: this requester's next conversations are asked about again.")


def _stops() -> HashedStops:
    return HashedStops(connect(open_settings().redis_url))
