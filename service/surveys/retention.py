"""How long single fields of a survey are kept. A field never outlives its record."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Retention:
    """The retention of fields after the end of their survey.

    `address`: of a failed offer, for a retry. `comment`: of a failed answer or follow-up, for a retry. `facts`: the
    facts of the decision, the tags and the languages. `agent`: the id of the agent.
    """

    address: timedelta
    comment: timedelta
    facts: timedelta
    agent: timedelta


@dataclass(frozen=True, slots=True)
class ArchiveRetention:
    """How long the archive keeps a row and its agent, from the close on, and a comment, from the answer on.

    Without a time for comments, none is written.
    """

    rows: timedelta
    agents: timedelta
    comments: timedelta | None = None
