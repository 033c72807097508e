"""Which conversations a survey is for: `[survey.match]` of surveys.toml."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Match:
    """Which conversations a survey is for; each rule is neutral until it is written, and so is an empty list.

    The languages are codes of ours; an address is a whole one or `@` and a domain, in small letters.
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
