"""The Celery app's settings and task names, shared by the web, which queues hints, and the workers.

Messages are hints: the records are the truth, the relay queues again what is lost (docs/architecture says why each
setting is as it is). A message carries a survey id and nothing else.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty
from threading import Event
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit
from uuid import uuid4

import structlog
from celery import Celery
from kombu.connection import Connection
from kombu.transport import TRANSPORT_ALIASES
from kombu.transport import redis as kombu_redis
from redis.exceptions import RedisError

from config.failures import describe_failure
from service.records.redis_pool import Pool
from service.surveys.states import Journey

NAME = "afterword"
TASKS = {journey: f"afterword.{journey}" for journey in Journey}

HINT_SECONDS = 0.3
"""How long the web lets a hint take."""

_WORKER_SECONDS = 2.0
"""How long a worker waits for Redis at each step: it takes several to end while Redis says nothing."""

_RECONNECT_WITHIN_SECONDS = 5

_CHANNEL_CONNECTIONS = 2
"""To Redis, beside the one that waits for tasks: kombu's transactions ask on a second one meanwhile."""

_REFUSED_SECONDS = 1.0

_LONGEST_ID = 64

log = structlog.get_logger()


class QueueUnavailable(Exception):
    """The queue didn't take a task, or wasn't counted. The text names what was raised."""


class _Channel(kombu_redis.Channel):
    """Speaks the protocol that REDIS_URL asks for, over our own pool's connections; kombu has no way to say so."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
        # It was for a ping; who only publishes never uses it again.
        self.async_pool.disconnect()

    def _connparams(self, *args: Any, **kwargs: Any) -> Any:
        options = self.connection.client.transport_options
        asked = {"protocol": options["protocol"]} if "protocol" in options else {}
        return super()._connparams(*args, **kwargs) | asked  # type: ignore[no-untyped-call]

    def _brpop_read(self, **options: Any) -> Any:
        """Take a message. One that isn't JSON is gone by now: to raise would end the worker."""
        try:
            return super()._brpop_read(**options)  # type: ignore[no-untyped-call]
        except (Empty, OSError):
            raise
        except RedisError:
            # Celery connects anew at once: to one that refuses, and is a replica, full or of few rights, without end.
            Event().wait(_REFUSED_SECONDS)
            raise
        except Exception as error:  # noqa: BLE001 - kombu turns JSON into objects of many kinds, each with errors of its own
            log.error("task.dropped", problem=type(error).__name__)  # noqa: TRY400 - its text may quote the message
            return True

    def _get_pool(self, asynchronous: bool = False) -> Pool:  # noqa: FBT001, FBT002 - kombu's
        return Pool(**self._connparams(asynchronous=asynchronous))


class _Transport(kombu_redis.Transport):
    Channel = _Channel

    def _deliver(self, message: Any, queue: str) -> None:
        """Hand a message to Celery if it is a task of ours, made anew: Celery logs the text of those it can't read."""
        try:
            task, survey_id = _read_message(message)
        except _NoTask as error:
            log.error("task.dropped", problem=str(error))  # noqa: TRY400
        else:
            super()._deliver(_make_message(task, survey_id), queue)  # type: ignore[no-untyped-call]


class _NoTask(Exception):
    """What was in the queue is no task of ours. The text says why, and quotes nothing."""


def _read_message(message: Any) -> tuple[str, str]:
    """Read which task a message of Celery's protocol 2 is, and its survey id; all else in it is no matter."""
    try:
        task = message["headers"]["task"]
        ((survey_id,), *_) = json.loads(b64decode(message["body"]))
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise _NoTask(type(error).__name__) from None
    if task not in TASKS.values():
        raise _NoTask("unknown task")
    if not isinstance(survey_id, str) or len(survey_id) > _LONGEST_ID:
        raise _NoTask("no survey id")
    return task, survey_id


def _make_message(task: str, survey_id: str) -> dict[str, Any]:
    tag = str(uuid4())
    body = json.dumps([[survey_id], {}, dict.fromkeys(("callbacks", "errbacks", "chain", "chord"))])
    return {
        "body": b64encode(body.encode()).decode(),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {"lang": "py", "task": task, "id": tag, "root_id": tag},
        "properties": {
            "delivery_tag": tag,
            "body_encoding": "base64",
            "delivery_info": {"exchange": "", "routing_key": NAME},
        },
    }


# By name: Celery's pools make connections of their own.
TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), f"{__name__}:_Transport"))


class _Connection(Connection):
    """A worker's connection looks for Redis again every few seconds; kombu would by and by wait for 30."""

    def ensure_connection(self, *args: Any, **kwargs: Any) -> Any:
        given = {"interval_max": _RECONNECT_WITHIN_SECONDS} | kwargs
        return super().ensure_connection(*args, **given)  # type: ignore[no-untyped-call]


def make_app(redis_url: str, *, socket_timeout: float = _WORKER_SECONDS, connect_timeout: float = 1.0) -> Celery:
    """Make a Celery app on this Redis. The web's app only publishes, and with shorter timeouts."""
    app = Celery(NAME, broker=_kombu_spelling(redis_url), set_as_current=False)
    app.amqp.Connection = _Connection
    app.conf.update(
        task_default_queue=NAME,
        task_acks_late=False,
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        result_backend=None,
        task_publish_retry=False,
        task_serializer="json",
        accept_content=["json"],
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        broker_connection_retry_on_startup=True,
        # A Redis that is full refuses to write: to kombu an error of the channel, which would end the worker.
        broker_channel_error_retry=True,
        # No task of ours is acknowledged late, so neither means anything: not said at each new connection.
        worker_cancel_long_running_tasks_on_connection_loss=True,
        worker_enable_prefetch_count_reduction=False,
        # A worker that gave up would have to be started again by somebody.
        broker_connection_max_retries=None,
        broker_pool_limit=1,
        broker_pool_acquire_timeout=connect_timeout,
        broker_transport_options=_transport_options(socket_timeout, connect_timeout) | _protocol(redis_url),
    )
    return app


def _kombu_spelling(redis_url: str) -> str:
    """Write a Redis URL as kombu reads it: it has a scheme of its own for sockets, and asks for TLS's terms.

    Of the options it knows those of TLS alone; the others are moved to where it looks for them.
    """
    parts = urlsplit(redis_url)
    given = dict(parse_qsl(parts.query))
    user = quote(unquote(parts.username or "") or given.get("username", ""), safe="")
    password = quote(unquote(parts.password or "") or given.get("password", ""), safe="")
    login = f"{user}:{password}@" if user or password else ""
    if parts.scheme == "unix":
        return f"redis+socket://{login}{parts.path}?virtual_host={given.get('db', '0')}"
    tls = {name: value for name, value in given.items() if name.startswith("ssl_")}
    if parts.scheme == "rediss":
        tls = {"ssl_cert_reqs": "required"} | tls
    path = f"/{given['db']}" if "db" in given else parts.path
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{login}{host}{path}" + (f"?{urlencode(tls)}" if tls else "")


def _protocol(redis_url: str) -> dict[str, int]:
    """Give the version of Redis' protocol that the URL asks for, if it does."""
    given = dict(parse_qsl(urlsplit(redis_url).query))
    return {"protocol": int(given["protocol"])} if "protocol" in given else {}


def _transport_options(socket_timeout: float, connect_timeout: float) -> dict[str, Any]:
    return {
        "visibility_timeout": 120,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "socket_timeout": socket_timeout,
        "socket_connect_timeout": connect_timeout,
        "health_check_interval": 10,
        "max_connections": _CHANNEL_CONNECTIONS,
        "global_keyprefix": "afterword:",
        # For publishing: without these kombu repeats a failed connection for 6 s, with pauses, inside of one call.
        "max_retries": 0,
        "interval_start": 0,
        "interval_step": 0,
        "interval_max": 0,
    }


class CeleryQueue:
    """Queues tasks. A hint is best effort, bounded, never an error; it follows a write that has just succeeded."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def hint(self, journey: Journey, survey_id: str) -> None:
        """Queue a task. A hint that is lost only delays: the relay queues what is due."""
        try:
            self.publish(journey, survey_id)
        except QueueUnavailable as error:
            log.warning("hint.lost", survey_id=survey_id, problem=str(error))

    def publish(self, journey: Journey, survey_id: str) -> None:
        """Queue a task. Raises QueueUnavailable."""
        with _naming_what_is_raised():
            self._app.send_task(TASKS[journey], args=[survey_id], retry=False)

    def length(self) -> int:
        """Count the tasks that wait for a worker. Raises QueueUnavailable."""
        with _naming_what_is_raised(), self._app.connection_or_acquire() as connection:
            return int(connection.default_channel.queue_declare(NAME).message_count)


@contextmanager
def _naming_what_is_raised() -> Iterator[None]:
    # Kombu lets through what its transport raises, besides its own errors, Celery's and those of sockets.
    try:
        yield
    except Exception as error:
        raise QueueUnavailable(describe_failure(error)) from error
