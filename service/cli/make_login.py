"""`afterword make-login`: an entry of OPERATOR_LOGINS."""

import click

from config.operators import Role, is_login_name
from service.cli.output import say

MIN_PASSWORD = 12
"""Characters. Guesses are limited to ten a minute and address."""


@click.command("make-login", short_help="Make a login for the operator's window.")
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice([*map(str, Role)]),
    default=str(Role.LOOK),
    show_default=True,
    help="look: see everything. act: pause, resume and retry as well.",
)
def make_login(name: str, role: str) -> None:
    """Ask for a password, and print an entry of OPERATOR_LOGINS. It has a hash of the password."""
    if not is_login_name(name):
        raise click.BadParameter("has other than 1 to 40 of A-Z, a-z, 0-9 and ._- in it.", param_hint="NAME")
    password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    if len(password) < MIN_PASSWORD:
        raise click.ClickException(f"Write a password of {MIN_PASSWORD} characters or more.")
    from werkzeug.security import generate_password_hash  # noqa: PLC0415 - Flask's, which other commands don't need

    say("Add this to OPERATOR_LOGINS, or to the file in OPERATOR_LOGINS_FILE. Then send a HUP to the web.", err=True)
    say(f"{name}:{role}:{generate_password_hash(password)}")
