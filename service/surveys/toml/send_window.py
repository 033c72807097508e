"""`[survey.send_window]` of surveys.toml: the hours in which surveys are sent.

When it opens next is worked out in `service.rules.send_window`.
"""

from typing import Any

from marshmallow import ValidationError, validates_schema

from service.surveys.definition import SendWindow
from service.surveys.toml.fields import Clock, Strict, Weekdays, Zone, written_as


def _missing(example: str) -> dict[str, Any]:
    return {"required": f"Missing. Write it, such as {example}."}


class SendWindowSchema(Strict):
    """`[survey.send_window]`."""

    made = SendWindow
    error_messages = written_as("[survey.send_window]", 'from = "09:00"')

    days = Weekdays(load_default=tuple(range(5)))
    opens = Clock(data_key="from", required=True, error_messages=_missing('from = "09:00"'))
    closes = Clock(data_key="to", required=True, error_messages=_missing('to = "17:00"'))
    zone = Zone(required=True, error_messages=_missing('zone = "Europe/Copenhagen"'))

    @validates_schema(skip_on_field_errors=True)
    def _check_order(self, data: dict[str, Any], **_: Any) -> None:
        if data["closes"] <= data["opens"]:
            raise ValidationError("Must be later than `from`, on the same day.", "to")
