"""`/`, `/healthz` and `/readyz`: for people who lost their way, and for whatever watches the process."""

from collections.abc import Iterator

from flask import Blueprint, Response, jsonify
from flask.typing import ResponseReturnValue

from service.surveys.store import RecordsRefused, RecordsUnavailable
from service.web.seams import Seams, seams

bp = Blueprint("health", __name__)
_STUCK = "spool_stuck"


@bp.get("/")
def home() -> ResponseReturnValue:
    """Say what this is, nothing more."""
    return Response("This host serves customer-satisfaction surveys.\n", content_type="text/plain; charset=utf-8")


@bp.get("/healthz")
def alive() -> ResponseReturnValue:
    """The process answers."""
    return jsonify(status="ok")


@bp.get("/readyz")
def ready() -> ResponseReturnValue:
    """Ready is able to accept, into Redis or the spool, and to bring home what waits; each degraded part is named."""
    degraded = dict(_degraded(seams()))
    is_ready = not {"redis", "spool"} <= set(degraded) and _STUCK not in degraded
    return jsonify(status="ready" if is_ready else "unavailable", degraded=degraded), 200 if is_ready else 503


def _degraded(core: Seams) -> Iterator[tuple[str, str]]:
    work = dict(_degraded_work(core))
    yield from work.items()
    yield from _degraded_spool(core)
    if core.spool and "redis" not in work and (overdue := core.spool.overdue()):
        yield _STUCK, f"{overdue} wait for longer than a minute, though Redis is there"


def _degraded_work(core: Seams) -> Iterator[tuple[str, str]]:
    problem = ""
    try:
        core.records.ping()
    except RecordsRefused as error:
        problem = f"{error}: it answers, and writes nothing"
    except RecordsUnavailable as error:
        yield "redis", str(error)
        return
    try:
        yield from _told_by_redis(core)
    except RecordsUnavailable as error:
        problem = problem or str(error)
    if problem:
        yield "redis", problem


def _told_by_redis(core: Seams) -> Iterator[tuple[str, str]]:
    if problems := core.records.problems():
        yield "durability", "; ".join(problems)
    if disagreements := core.processes.find_disagreements():
        yield "settings", "; ".join(disagreements)
    if trouble := core.pace.trouble():
        yield "dixa", trouble
    if since := core.records.paused_since():
        yield "asking", f"paused since {since}: nobody is asked. To go on: afterword resume"


def _degraded_spool(core: Seams) -> Iterator[tuple[str, str]]:
    if core.spool is None:
        yield "spool", "off"
        return
    if not core.spool.is_writable():
        yield "spool", "can't be used, or is full"
    newer = core.spool.left_to_newer()
    if waiting := core.spool.waiting() - newer:
        yield "spool_waiting", f"{waiting} wait for Redis"
    if newer:
        yield "spool_newer", f"{newer} wait for the newer version that has written them"
    if corrupt := core.spool.set_aside():
        yield "spool_corrupt", f"{corrupt} could not be read and were set aside"
