"""The metrics of `/metrics`, made at the scrape from what all processes share. docs/monitoring.md explains each.

prometheus-client's own counters are of one process, so none is used: several web processes show the same numbers.
"""

from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from service.archive.measurement import ArchiveMeasured, Distribution
from service.dixa.call_counts import CallOutcome
from service.records.measurements import Measured
from service.records.redis_check import Risk
from service.surveys.states import Journey

ASPECTS = ("persistence", "eviction", "memory", "connections", "replica", "cluster", "version")
"""Those of a `Risk` that a Redis itself shows."""
_ROLES = ("web", "worker")


def gauge(name: str, text: str, value: float) -> Metric:
    """Return a gauge without labels."""
    return GaugeMetricFamily(name, text, value=value)


def gauges(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    """Return a gauge with a label, and its value for each value of the label."""
    family = GaugeMetricFamily(name, text, labels=[label])
    for each, value in values.items():
        family.add_metric([each], value)
    return family


def build_info() -> Metric:
    """Return the version as a label."""
    return gauges("afterword_build_info", "The version of Afterword.", "version", {version("afterword"): 1})


def of_records(found: Measured) -> Iterator[Metric]:
    """Yield what Redis counts."""
    yield gauges(
        "afterword_decisions_today",
        "Surveys decided today (UTC) by reason; those sent count as asked. A later decision moves a survey to another "
        "reason, so this is no counter.",
        "reason",
        {"asked": 0, **found.decisions},
    )
    calls = CounterMetricFamily("afterword_dixa_calls", "Calls of the workers to Dixa by outcome.", labels=["outcome"])
    for outcome in CallOutcome:
        calls.add_metric([outcome], found.calls.get(outcome, 0))
    yield calls
    yield gauges(
        "afterword_due_surveys",
        "Surveys with work to do, now or later.",
        "journey",
        {journey: due.surveys for journey, due in found.due.items()},
    )
    yield gauges(
        "afterword_overdue_seconds",
        "For how long the first survey has been due: 0 if none is.",
        "journey",
        {journey: due.overdue for journey, due in found.due.items()},
    )
    waiting = max(found.due[Journey.OFFER].surveys - found.reminding, 0)
    yield gauge("afterword_waiting_surveys", "Surveys without a link at the customer yet.", waiting)
    yield gauge("afterword_reminding_surveys", "Surveys that wait for their reminder.", found.reminding)
    yield gauge("afterword_failed_surveys", "Surveys that failed for good, until a retry.", found.failed)
    yield gauge("afterword_queued_tasks", "Tasks that wait for a worker.", found.queued)
    yield gauge("afterword_archive_due_surveys", "Changed surveys that the archive doesn't have yet.", found.to_archive)
    yield gauge("afterword_paused", "Whether an operator has paused surveys.", found.is_paused)
    if found.last_webhook:
        yield gauge(
            "afterword_last_webhook_timestamp_seconds",
            "When a webhook was last accepted, up to ten seconds late.",
            found.last_webhook,
        )
    yield from _of_processes(found)


def _of_processes(found: Measured) -> Iterator[Metric]:
    family = GaugeMetricFamily(
        "afterword_heartbeat_age_seconds", "Age of the last report of a process.", labels=["role", "process"]
    )
    alive = dict.fromkeys(_ROLES, 0.0)
    for each in found.heartbeats:
        family.add_metric([each.role, each.name], each.age)
        alive[each.role] = alive.get(each.role, 0) + each.is_alive
    yield family
    yield gauges("afterword_processes", "Processes with a report in the last half minute.", "role", alive)


def of_dixa(rate: float, used_share: float, *, is_down: bool) -> Iterator[Metric]:
    """Yield what is known of Dixa and of its rate limit."""
    yield gauge("afterword_dixa_down", "Whether Dixa is down, as far as calls show it.", is_down)
    yield gauge("afterword_dixa_pace_calls_per_second", "Calls that DIXA_PACE allows, of all tokens.", rate)
    yield gauge(
        "afterword_dixa_pace_used_ratio",
        "The used share of the burst of DIXA_PACE: from 1 on, the next call has to wait.",
        used_share,
    )


def of_risks(found: Sequence[Risk]) -> Metric:
    """Return the risks of Redis by aspect."""
    levels = dict.fromkeys(ASPECTS, 0)
    for each in found:
        levels[each.aspect] = max(levels.get(each.aspect, 0), 2 if each.is_present else 1)
    return gauges(
        "afterword_redis_risk",
        "Whether Redis may lose data or stand still: 0 none, 1 a warning of afterword doctor, 2 a fault.",
        "aspect",
        levels,
    )


def of_spool(host: str, waiting: int, corrupt: int, size: int) -> Iterator[Metric]:
    """Yield the state of this host's spool."""
    family = GaugeMetricFamily(
        "afterword_spool_files", "Files in the spool of the web's host.", labels=["host", "state"]
    )
    family.add_metric([host, "waiting"], waiting)
    family.add_metric([host, "corrupt"], corrupt)
    yield family
    yield gauges("afterword_spool_bytes", "Size of what waits in the spool.", "host", {host: size})


def of_archive(found: ArchiveMeasured) -> Iterator[Metric]:
    """Yield what the archive counts."""
    surveys = GaugeMetricFamily(
        "afterword_surveys",
        "Surveys in the archive by state, and by the reason of skipped and failed ones.",
        labels=["state", "reason"],
    )
    for labels, count in found.states.items():
        surveys.add_metric(labels, count)
    yield surveys
    yield gauges("afterword_failed_journeys", "Failed journeys in the archive.", "journey", found.failures)
    yield _histogram(
        "afterword_close_to_delivery_seconds",
        "Time from the close to the link at the customer, the delay of the survey included.",
        found.to_delivery,
    )
    yield _histogram(
        "afterword_answer_to_dixa_seconds",
        "Time from the answer to the result in Dixa, the time for changes included.",
        found.to_dixa,
    )


def _histogram(name: str, text: str, found: Distribution) -> Metric:
    buckets = [(str(limit), count) for limit, count in zip(found.limits, found.counts, strict=True)]
    return HistogramMetricFamily(name, text, buckets=[*buckets, ("+Inf", found.count)], sum_value=found.sum)
