"""`afterword send-test`: a survey e-mail to the operator."""

import secrets
from datetime import datetime

import click

from service.cli.context import open_settings, survey_names
from service.cli.output import say
from service.delivery.email.smtp import EmailDelivery, email_branding
from service.delivery.email.text import SurveyEmail
from service.surveys.errors import CallError
from service.surveys.language_codes import find_language
from service.surveys.mailbox import read_address
from service.surveys.ports import Deadline
from service.surveys.ratings import RatingType
from service.texts.catalog import load_language


@click.command("send-test")
@click.argument("address")
@click.option("--rating", type=click.Choice(RatingType, case_sensitive=False), help="Default: the survey's.")
@click.option("--lang", "--language", "code", help="Such as da or German. Default: DEFAULT_LANGUAGE.")
@click.option("--survey", "name", help="A survey of surveys.toml. Default: the first.")
def send_test(address: str, *, rating: RatingType | None, code: str | None, name: str | None) -> None:
    """Send a survey e-mail to yourself. Its links lead nowhere."""
    settings = open_settings()
    to, spoken = read_address(address), find_language(code or settings.default_language)
    survey = next((each for each in settings.surveys if name in {None, each.name}), None)
    if settings.mail is None:
        raise click.ClickException("SMTP_URL is not set. Example: SMTP_URL=smtp://user:password@smtp.example.com:587")
    if to is None:
        raise click.ClickException("ADDRESS is not an e-mail address. Write it like you@example.com.")
    if spoken is None:
        raise click.ClickException("--lang is not a known language. Write a code such as da.")
    if survey is None:
        raise click.ClickException(f"--survey is not in surveys.toml. Known: {survey_names(settings)}.")
    test_id = f"test-{secrets.token_hex(4)}"
    email = SurveyEmail(
        survey_id=test_id,
        address=to,
        rating=rating or survey.ratings[0],
        link=f"{settings.public_url}/s/{test_id}",
        language=load_language(spoken),
        channel="WidgetChat",
        closed_on=datetime.now(survey.zone_or(settings.time_zone)).date(),
        own=survey.words_in(spoken),
        sender=survey.sender_in(spoken),
        brand=survey.brand,
    )
    budget = settings.timings.mail_budget
    channel = EmailDelivery(settings.mail.server, email_branding(settings), _NoMailings(), budget=budget)
    try:
        channel.send(email, Deadline(budget))
    except CallError as error:
        raise click.ClickException(f"{settings.mail.server.host}:{settings.mail.server.port}: {error}") from error
    say(f"Sent. {settings.mail.server.host}:{settings.mail.server.port} accepted it.")


class _NoMailings:
    """A test e-mail has no record."""

    def extend_lease(self, _survey_id: str) -> bool:
        return True

    def begin_email(self, _survey_id: str) -> bool:
        """Allow the e-mail."""
        return True
