"""`afterword stop` and `unstop`: what customers can do themselves, done for them."""

import re
from uuid import UUID

import click

from config.settings import Settings
from service.cli.context import open_settings, redis_errors
from service.cli.output import say
from service.records.opt_outs import HashedStops
from service.records.redis import connect
from service.rules.identity import Persons
from service.surveys.mailbox import read_address

_HELP = "CUSTOMER is the requester's id in Dixa, an e-mail address or a telephone number with its country code."
_NUMBER = re.compile(r"(?:\+|00)(?!.*\(0\))[-0-9 ()./]+")
"""With a country code, as Dixa has it. Of "+44 (0)20" nobody can tell whether the 0 is part of it: it is in Italy."""


@click.command(short_help="Ask a customer nothing any more.", help=f"Ask a customer nothing any more. {_HELP}")
@click.argument("customer")
def stop(customer: str) -> None:
    """Ask a customer nothing any more, as they can themselves."""
    settings = open_settings()
    trait, *others = _traits(settings, customer)
    with redis_errors():
        _stops(settings).add(trait, others)
    say("Stopped: this customer is asked nothing any more. To undo it: afterword unstop")


@click.command(
    short_help="Ask a customer again, who wants it.",
    help=f"Ask a customer again who has stopped the surveys; only when they want it. {_HELP}",
)
@click.argument("customer")
def unstop(customer: str) -> None:
    """Ask a customer again who has stopped the surveys, by any of what they are known by."""
    settings = open_settings()
    traits = _traits(settings, customer)
    with redis_errors():
        undone = [_stops(settings).remove(trait) for trait in traits]
    if not any(undone):
        problem = (
            "This customer has not stopped the surveys by this. Is it as Dixa shows it? There may be another id, "
            "address or number: afterword why, with a conversation of theirs, says by which they have, and since when."
        )
        raise click.ClickException(problem)
    say("Undone: this customer's next conversations are asked about again.")


def _traits(settings: Settings, customer: str) -> tuple[str, ...]:
    """Read what a customer is known by; anything else would stop nobody, and nobody would notice."""
    persons, customer = Persons(settings.secret_keys), customer.strip()
    if address := read_address(customer):
        return persons.known_by(None, address)
    try:
        return (str(UUID(customer)),)
    except ValueError:
        number = customer if _NUMBER.fullmatch(customer) else ""
    if traits := persons.known_by(None, phone=number):
        return traits
    problem = (
        "not a requester's id, an e-mail address or a telephone number. Write it like "
        "7b2d1c3e-5f4a-4d0b-9c8e-1a2b3c4d5e6f, ida@example.com or +4520123456: a number begins with its country "
        "code, and has no (0)."
    )
    raise click.BadParameter(problem, param_hint="CUSTOMER")


def _stops(settings: Settings) -> HashedStops:
    return HashedStops(connect(settings.redis_url))
