"""`[survey.match]` of surveys.toml. `service.rules.matching` applies these rules."""

import re
from collections.abc import Mapping
from typing import Any, get_type_hints

from marshmallow import ValidationError
from marshmallow.fields import Field

from service.surveys.dixa_names import ASKED_DIRECTIONS, api_spelling
from service.surveys.match import Match
from service.surveys.toml.fields import Count, Flag, Names, Share, Strict, read_address, read_language, written_as


def _check_directions(names: tuple[str, ...]) -> None:
    fix = 'Write "INBOUND", "OUTBOUND" or both.'
    if "Internal" in names:
        raise ValidationError(f"Internal conversations are never asked. {fix}")
    for name in names:
        if name not in ASKED_DIRECTIONS:
            raise ValidationError(f"There is no direction {name!r}. {fix}")


def _check_user_types(names: tuple[str, ...]) -> None:
    if set(names) == {"Member"}:
        raise ValidationError('Members of the organisation are never asked. Write "CONTACT", or leave the key out.')


def _check_addresses(names: tuple[str, ...]) -> None:
    for name in names:
        if not re.fullmatch(r"[^\s*<>,;@]*@[^\s*<>,;@]+", name):
            raise ValidationError(
                f'{name!r} is no address. Write "ida@example.com", or "@example.com" for all of a domain.'
            )


_FIELDS: Mapping[Any, type[Field[Any]]] = {tuple[str, ...]: Names, int: Count, bool: Flag, float: Share}


class _Match(Strict):
    """The rules with values of a special form. A rule that no conversation can meet is a mistake."""

    made = Match
    error_messages = written_as("[survey.match]", "assigned = true")

    channels = Names(api_spelling)
    directions = Names(api_spelling, validate=_check_directions)
    languages = Names(read_language)
    user_types = Names(api_spelling, validate=_check_user_types)
    assignee_types = Names(api_spelling)
    addresses = Names(read_address, validate=_check_addresses)
    without_addresses = Names(read_address, validate=_check_addresses)


MatchSchema = _Match.from_dict(
    {name: _FIELDS[kind]() for name, kind in get_type_hints(Match).items() if name not in _Match().fields},
    name="MatchSchema",
)
"""`[survey.match]`. A rule with plain values has no line here: its field follows from its type in `Match`."""
