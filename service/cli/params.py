"""Parameters of the commands."""

from datetime import timedelta

import click
from marshmallow import ValidationError

from service.surveys.conversation_names import read_conversation_id
from service.surveys.toml.fields import Duration


class ConversationId(click.ParamType[int]):
    """A conversation: `48203`, `#48203`, the URL of its page in Dixa, or a survey id such as `48203-2`."""

    name = "conversation id"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the conversation's number."""
        number = read_conversation_id(value)
        if number is None:
            self.fail(f"{value!r} is not a conversation. Write its number, such as 48201.", param, ctx)
        return number


def read_since(text: str) -> timedelta:
    """Parse how far back to look. Raises click.BadParameter."""
    try:
        return Duration(minimum=timedelta(minutes=1), maximum=timedelta(days=366)).deserialize(text)
    except ValidationError as error:
        raise click.BadParameter(str(error)) from error


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
