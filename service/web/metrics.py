"""`GET /metrics` for Prometheus, with METRICS_TOKEN. It is imported only if that is set."""

import socket
from collections.abc import Iterator

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from service.archive.engine import ArchiveUnavailable
from service.archive.measurement import measure_archive
from service.intake.spool import Spool
from service.records.measurements import Measurements
from service.records.processes import count_connections
from service.records.redis import RecordsUnavailable
from service.web import metric_families as families
from service.web.archive_access import read_archive
from service.web.bearer_token import has_token
from service.web.failed_requests import PROBLEM, is_over_limit, refuse
from service.web.services import Services, services
from service.web.thread_pool import run_in_thread

bp = Blueprint("metrics", __name__)


@bp.get("/metrics")
def scrape() -> ResponseReturnValue:
    """Return the metrics, measured now."""
    core = services()
    if not has_token(request, core.settings.metrics_token or ""):
        return _refused()
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Measuring(core))
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)


def _refused() -> Response:
    response = Response("Send METRICS_TOKEN as a bearer token.\n", 401, content_type="text/plain; charset=utf-8")
    response.headers["WWW-Authenticate"] = 'Bearer realm="metrics"'
    if is_over_limit():
        response.set_data(f"{PROBLEM}\n")
        return refuse(response)
    return response


class _Measuring(Collector):
    """Measures at each scrape. What can't be measured is left out, and `afterword_redis_up` is 0."""

    def __init__(self, core: Services) -> None:
        self._core = core

    def collect(self) -> Iterator[Metric]:
        yield families.build_info()
        if self._core.spool:
            yield from families.of_spool(socket.gethostname(), *run_in_thread(_measure_spool, self._core.spool))
        try:
            yield from [*self._of_redis()]
        except RecordsUnavailable:
            is_up = False
        else:
            is_up = True
        yield families.gauge("afterword_redis_up", "Whether Redis responds to this web process.", is_up)
        yield from self._of_archive()

    def _of_redis(self) -> Iterator[Metric]:
        core = self._core
        keys = [core.outage.down_key, *core.pace.arrival_keys]
        found = Measurements.beside(core.records).measure(keys)
        down_since, *arrivals = found.values
        yield from families.of_records(found)
        used = core.pace.used_share(arrivals, found.now)
        yield from families.of_dixa(core.pace.rate, used, is_down=down_since is not None)
        connections = count_connections(each.role for each in found.heartbeats if each.is_alive)
        yield families.of_risks(core.records.risks(connections))

    def _of_archive(self) -> Iterator[Metric]:
        url = self._core.settings.archive_url
        if url is None:
            return
        try:
            yield from families.of_archive(read_archive(url, measure_archive))
        except ArchiveUnavailable:
            is_up = False
        else:
            is_up = True
        yield families.gauge("afterword_archive_up", "Whether this web process can read the archive.", is_up)


def _measure_spool(spool: Spool) -> tuple[int, int, int]:
    return spool.waiting(), spool.corrupt(), spool.size()
