"""The rules of a survey: `[survey.match]` of surveys.toml."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Match:
    """The rules for a survey's conversations. By default, and with an empty list, a rule excludes nothing.

    Languages are codes of LANGUAGES. An address is a full one, or `@` and a domain, in lower case.
    """

    channels: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    contact_points: tuple[str, ...] = ()
    directions: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    user_types: tuple[str, ...] = ()
    assignee_types: tuple[str, ...] = ()
    without_tags: tuple[str, ...] = ()
    with_tags: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    without_addresses: tuple[str, ...] = ()
    assigned: bool = False
    min_customer_messages: int = 0
    min_agent_messages: int = 0
    sample: float = 1.0
