"""`afterword opt-out` and `opt-in`: do for customers what their own link does."""

import click

from config.settings import Settings
from service.cli.context import open_client, open_settings
from service.cli.customer import HELP, Customer
from service.cli.output import say
from service.records.opt_outs import HashedOptOuts
from service.rules.identity import Identities


@click.command("opt-out", short_help="Send no more surveys.", epilog=HELP)
@click.argument("customer")
def opt_out(customer: str) -> None:
    """Send a customer no more surveys."""
    settings = open_settings()
    trait, *others = _traits(settings, customer)
    HashedOptOuts(open_client(settings)).add(trait, others)
    say("Opted out: this customer gets no more surveys. To undo: afterword opt-in")


@click.command("opt-in", short_help="Undo an opt-out, if the customer wants it.", epilog=HELP)
@click.argument("customer")
def opt_in(customer: str) -> None:
    """Undo an opt-out. Only if the customer wants it."""
    settings = open_settings()
    opt_outs = HashedOptOuts(open_client(settings))
    undone = [opt_outs.remove(trait) for trait in _traits(settings, customer)]
    if not any(undone):
        problem = (
            "There is no opt-out for this. Is it written as Dixa shows it? The opt-out may be for another id, address "
            "or number: `afterword why`, with a conversation of this customer, shows each opt-out and its date."
        )
        raise click.ClickException(problem)
    say("Opted in: this customer may get surveys again.")


def _traits(settings: Settings, customer: str) -> tuple[str, ...]:
    return Customer.read(customer).opt_out_traits(Identities(settings.secret_keys))
