"""Whether Dixa would have sent the webhook of a close, by the filters of the subscription.

Source: Dixa's OpenAPI description, CombinedFilters. A filter may be about the origin of an operation, which the API
doesn't show for a conversation.
"""

from collections.abc import Mapping
from typing import Any

from service.surveys.dixa_names import api_spelling
from service.surveys.model import Close


def passes(filters: Any, close: Close) -> bool | None:
    """Return whether a close passes the filters of a subscription. None: Dixa's API can't tell."""
    if not isinstance(filters, Mapping):
        return True if filters is None else None
    return _all([_combined(each, close) for each in filters.values()])


def _combined(found: Any, close: Close) -> bool | None:
    conditions = found.get("conditions") if isinstance(found, Mapping) else None
    if not isinstance(conditions, list):
        return None
    met = [_condition(each, close) for each in conditions]
    return _any(met) if found.get("strategy") == "Any" else _all(met)


def _condition(found: Any, close: Close) -> bool | None:
    values = found.get("values") if isinstance(found, Mapping) else None
    if not isinstance(values, list):
        return None
    named = {str(each) for each in values}
    if found.get("field") == "InitialChannel":
        is_named = close.channel and close.channel in {api_spelling(each) for each in named}
    elif found.get("field") == "QueueId":
        is_named = close.queue_id in named
    else:
        return None
    if is_named is None:
        return None
    return {"IsOneOf": bool(is_named), "IsNotOneOf": not is_named}.get(str(found.get("_type")))


def _all(met: list[bool | None]) -> bool | None:
    return False if False in met else None if None in met else True


def _any(met: list[bool | None]) -> bool | None:
    return True if True in met else None if None in met else False
