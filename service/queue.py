"""The Celery queue: the settings of the app, its tasks, and repairs of kombu's Redis transport.

A message only triggers a task, and contains a survey id and nothing else. The records hold the work, and the relay
queues lost messages again. Celery's own guarantees are turned off for that reason: no late acknowledgement, no retries,
no results.
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
"""The web's timeout of each connect and each response for a hint. A frozen Redis costs both."""

_WORKER_SECONDS = 2.0
"""A worker's timeout for one response of Redis. A shutdown while Redis is frozen needs several of them."""

_MAX_RECONNECT_SECONDS = 5

_CHANNEL_CONNECTIONS = 2
"""Beside the connection blocked in BRPOP. kombu opens a second one inside of its transactions."""

_REFUSED_WAIT_SECONDS = 1.0

_MAX_ID_LENGTH = 64

log = structlog.get_logger()


class QueueUnavailable(Exception):
    """The queue could not be written or read. The text names the cause."""


class _Channel(kombu_redis.Channel):
    """Uses our own pool, and the protocol version of REDIS_URL. kombu has no options for either."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
        # kombu opened it for a PING. A process that only publishes never uses it again, and it would stay open.
        self.async_pool.disconnect()

    def _connparams(self, *args: Any, **kwargs: Any) -> Any:
        options = self.connection.client.transport_options
        asked = {"protocol": options["protocol"]} if "protocol" in options else {}
        return super()._connparams(*args, **kwargs) | asked  # type: ignore[no-untyped-call]

    def _brpop_read(self, **options: Any) -> Any:
        """Read a message. One that isn't JSON is already off the queue, and an error here would end the worker."""
        try:
            return super()._brpop_read(**options)  # type: ignore[no-untyped-call]
        except (Empty, OSError):
            raise
        except RedisError:
            # Celery reconnects at once. To a Redis that accepts connections and refuses commands (a replica, a full
            # one, one with few rights) it would do that in a tight loop.
            Event().wait(_REFUSED_WAIT_SECONDS)
            raise
        except Exception as error:  # noqa: BLE001 - kombu decodes JSON into objects whose constructors raise anything
            log.error("task.dropped", problem=type(error).__name__)  # noqa: TRY400 - the text may quote the message
            return True

    def _get_pool(self, asynchronous: bool = False) -> Pool:  # noqa: FBT001, FBT002 - kombu's
        return Pool(**self._connparams(asynchronous=asynchronous))


class _Transport(kombu_redis.Transport):
    Channel = _Channel

    def _deliver(self, message: Any, queue: str) -> None:
        """Pass a copy to Celery if this is a task of ours. Celery would log the text of a message it can't read."""
        try:
            task, survey_id = _read_message(message)
        except _NotATask as error:
            log.error("task.dropped", problem=str(error))  # noqa: TRY400
        else:
            super()._deliver(_make_message(task, survey_id), queue)  # type: ignore[no-untyped-call]


class _NotATask(Exception):
    """The message is no task of ours. The text is the reason, without any part of the message."""


def _read_message(message: Any) -> tuple[str, str]:
    """Return the task and the survey id of a message of Celery's protocol 2. Everything else in it is ignored."""
    try:
        task = message["headers"]["task"]
        ((survey_id,), *_) = json.loads(b64decode(message["body"]))
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise _NotATask(type(error).__name__) from None
    if task not in TASKS.values():
        raise _NotATask("unknown task")
    if not isinstance(survey_id, str) or len(survey_id) > _MAX_ID_LENGTH:
        raise _NotATask("no survey id")
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


# Registered by name for all of kombu: Celery's pools create connections themselves, and pass on no transport class.
TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), f"{__name__}:_Transport"))


class _Connection(Connection):
    """Retries the connection every few seconds. kombu's own backoff would grow to 30."""

    def ensure_connection(self, *args: Any, **kwargs: Any) -> Any:
        given = {"interval_max": _MAX_RECONNECT_SECONDS} | kwargs
        return super().ensure_connection(*args, **given)  # type: ignore[no-untyped-call]


def make_app(redis_url: str, *, socket_timeout: float = _WORKER_SECONDS, connect_timeout: float = 1.0) -> Celery:
    """Create a Celery app on this Redis. The app of the web only publishes, with shorter timeouts."""
    app = Celery(NAME, broker=_kombu_url(redis_url), set_as_current=False)
    app.amqp.Connection = _Connection
    app.conf.update(
        task_default_queue=NAME,
        # A late acknowledgement returns a lost task only after the visibility timeout, and may run one twice. The lease
        # of the record does both better.
        task_acks_late=False,
        task_ignore_result=True,
        task_publish_retry=False,
        # A prefetched task would wait in one worker while another one is idle.
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        broker_connection_retry_on_startup=True,
        # A full Redis refuses writes. kombu counts that as a channel error, and by default it ends the worker.
        broker_channel_error_retry=True,
        # Both only concern late acknowledgement. Without them Celery logs a warning at each reconnection.
        worker_cancel_long_running_tasks_on_connection_loss=True,
        worker_enable_prefetch_count_reduction=False,
        # By default a worker gives up after 100 tries, and somebody would have to restart it.
        broker_connection_max_retries=None,
        broker_pool_limit=1,
        broker_pool_acquire_timeout=connect_timeout,
        broker_transport_options=_transport_options(redis_url, socket_timeout, connect_timeout),
    )
    return app


def _kombu_url(redis_url: str) -> str:
    """Return a Redis URL in kombu's form.

    kombu has its own scheme for sockets, and needs the TLS options spelled out. It reads no other option from the
    query, so those move to their place in the URL.
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


def _transport_options(redis_url: str, socket_timeout: float, connect_timeout: float) -> dict[str, Any]:
    given = dict(parse_qsl(urlsplit(redis_url).query))
    return {
        "visibility_timeout": 120,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "socket_timeout": socket_timeout,
        "socket_connect_timeout": connect_timeout,
        "health_check_interval": 10,
        "max_connections": _CHANNEL_CONNECTIONS,
        "global_keyprefix": "afterword:",
        # By default kombu retries a failed connection for 6 s inside of one publish. The web has about 0.6 s for it.
        "max_retries": 0,
        "interval_start": 0,
        "interval_step": 0,
        "interval_max": 0,
        # The version of Redis's protocol, for `_Channel`.
        **({"protocol": int(given["protocol"])} if "protocol" in given else {}),
    }


class CeleryQueue:
    """Queues tasks. A hint follows a successful write to the records. It is best effort, bounded, never an error."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def hint(self, journey: Journey, survey_id: str) -> None:
        """Queue a task, or log that it failed. A lost hint only delays, since the relay queues due surveys."""
        try:
            self.publish(journey, survey_id)
        except QueueUnavailable as error:
            log.warning("hint.lost", survey_id=survey_id, problem=str(error))

    def publish(self, journey: Journey, survey_id: str) -> None:
        """Queue a task. Raises QueueUnavailable."""
        with _as_queue_unavailable():
            self._app.send_task(TASKS[journey], args=[survey_id], retry=False)

    def length(self) -> int:
        """Return the number of waiting tasks. Raises QueueUnavailable."""
        with _as_queue_unavailable(), self._app.connection_or_acquire() as connection:
            return int(connection.default_channel.queue_declare(NAME).message_count)


@contextmanager
def _as_queue_unavailable() -> Iterator[None]:
    # kombu raises its own errors, Celery's, those of sockets, and whatever its transport raises.
    try:
        yield
    except Exception as error:
        raise QueueUnavailable(describe_failure(error)) from error
