"""`afterword opt-out` and `opt-in`: do for customers what their own link does."""

import re
from uuid import UUID

import click

from config.settings import Settings
from service.cli.context import open_settings
from service.cli.output import say
from service.records.opt_outs import HashedOptOuts
from service.records.redis import connect
from service.rules.identity import Identities
from service.surveys.mailbox import read_address

_CUSTOMER = "CUSTOMER is the requester's id in Dixa, an e-mail address or a telephone number with its country code."
_NUMBER = re.compile(r"(?:\+|00)(?!.*\(0\))[-0-9 ()./]+")
"""With a country code, as in Dixa. "+44 (0)20" is refused: the 0 belongs to the number in Italy, and not elsewhere."""


@click.command("opt-out", short_help="Send no more surveys.", epilog=_CUSTOMER)
@click.argument("customer")
def opt_out(customer: str) -> None:
    """Send a customer no more surveys."""
    settings = open_settings()
    trait, *others = _traits(settings, customer)
    HashedOptOuts(connect(settings.redis_url)).add(trait, others)
    say("Opted out: this customer gets no more surveys. To undo: afterword opt-in")


@click.command("opt-in", short_help="Undo an opt-out, if the customer wants it.", epilog=_CUSTOMER)
@click.argument("customer")
def opt_in(customer: str) -> None:
    """Undo an opt-out. Only if the customer wants it."""
    settings = open_settings()
    opt_outs = HashedOptOuts(connect(settings.redis_url))
    undone = [opt_outs.remove(trait) for trait in _traits(settings, customer)]
    if not any(undone):
        problem = (
            "There is no opt-out for this. Is it written as Dixa shows it? The opt-out may be for another id, address "
            "or number: `afterword why`, with a conversation of this customer, shows each opt-out and its date."
        )
        raise click.ClickException(problem)
    say("Opted in: this customer may get surveys again.")


def _traits(settings: Settings, customer: str) -> tuple[str, ...]:
    """Return the identifiers to opt out. Refuse all else: an opt-out for a typo would go unnoticed."""
    identities, customer = Identities(settings.secret_keys), customer.strip()
    if address := read_address(customer):
        return identities.hashes_of(None, address)
    try:
        return (str(UUID(customer)),)
    except ValueError:
        number = customer if _NUMBER.fullmatch(customer) else ""
    if traits := identities.hashes_of(None, phone=number):
        return traits
    problem = (
        "not a requester's id, an e-mail address or a telephone number. Write it like "
        "7b2d1c3e-5f4a-4d0b-9c8e-1a2b3c4d5e6f, ida@example.com or +4520123456: a number begins with its country "
        "code, and has no (0)."
    )
    raise click.BadParameter(problem, param_hint="CUSTOMER")
