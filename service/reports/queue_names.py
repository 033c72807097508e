"""Names of queues from the archive, for an installation whose token may not list the queues."""

from typing import Final

from sqlalchemy import Connection, select

from service.archive.schema import SURVEY

_C = SURVEY.c
_LOOKED_AT: Final = 2_000


def read_queue_names(connection: Connection) -> dict[str, str]:
    """Return the names of the queues of the latest answers, by id: the name at the last of them."""
    query = (
        select(_C.queue_id, _C.queue_name)
        .where(_C.answered_at.is_not(None))
        .order_by(_C.answered_at.desc())
        .limit(_LOOKED_AT)
    )
    latest: list[tuple[str | None, str | None]] = [tuple(row) for row in connection.execute(query)]
    return {queue_id: name for queue_id, name in reversed(latest) if queue_id and name}
