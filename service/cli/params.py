"""Parameters of the commands."""

import re
from datetime import timedelta

import click
from marshmallow import ValidationError

from service.surveys.toml.fields import Duration

_NAMED = re.compile(
    r"(?: \#? | https?://[^\s?]*/ )"  # The number as Dixa shows it, or the URL of its page.
    r"([0-9]{1,18})"
    r"(?: -[0-9]{1,9} | /?(?:[?\#]\S*)? )",  # The round of a survey id, or the end of a URL.
    re.VERBOSE,
)


class ConversationId(click.ParamType[int]):
    """A conversation: `48203`, `#48203`, the URL of its page in Dixa, or a survey id such as `48203-2`."""

    name = "conversation id"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the conversation's number."""
        named = _NAMED.fullmatch(value.strip())
        if named is None or not (number := int(named[1])):
            self.fail(f"{value!r} is not a conversation. Write its number, such as 48201.", param, ctx)
        return number


def read_since(text: str) -> timedelta:
    """Parse how far back to look. Raises click.BadParameter."""
    try:
        return Duration(minimum=timedelta(minutes=1), maximum=timedelta(days=366)).deserialize(text)
    except ValidationError as error:
        raise click.BadParameter(str(error)) from error


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
