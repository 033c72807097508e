"""The worker's end of the queue: the settings of the Celery app, its tasks, and repairs of kombu's Redis transport.

The scripts of the records write the queue (`service/records/tasks.py`). A message only triggers a task, and contains a
survey id and nothing else. The records hold the work, and the relay queues lost messages again. Celery's own guarantees
are turned off for that reason: no acknowledgement, no retries, no results.
"""

import json
from contextlib import suppress
from queue import Empty
from threading import Event
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit
from uuid import uuid4

import structlog
from celery import Celery
from kombu.connection import Connection
from kombu.entity import Queue
from kombu.transport import TRANSPORT_ALIASES
from kombu.transport import redis as kombu_redis
from kombu.transport.virtual import QoS
from redis.exceptions import RedisError

from config.failures import describe_failure
from config.redis_urls import find_sentinels
from service.records.redis_pool import Pool
from service.records.sentinels import SentinelPrimary
from service.records.tasks import QUEUE, NotATaskError, read_task, write_task

NAME = "afterword"

_RESPONSE_SECONDS = 2.0
"""The timeout of one response of Redis. A shutdown while Redis is frozen needs several of them."""
_CONNECT_SECONDS = 1.0

_MAX_RECONNECT_SECONDS = 5

_REFUSED_WAIT_SECONDS = 1.0

log = structlog.get_logger()


_problem = ""


def queue_problem() -> str:
    """Return why this process could not read the queue the last time, or ""."""
    return _problem


def _note_problem(problem: str) -> None:
    global _problem  # noqa: PLW0603 - of this process, which has one queue
    _problem = problem


class QueueUnavailable(Exception):
    """The queue can't be read. The text names the cause."""


class _QoS(QoS):
    """Keeps no list of acknowledged messages: none of ours has to be."""

    def ack(self, delivery_tag: str) -> None:
        """Do nothing."""


class _Channel(kombu_redis.Channel):
    """Uses our own pool, with sentinels if REDIS_URL names some, and its protocol version.

    kombu has no option for the pool or the version. Its own channel for sentinels asks them with redis-py's default
    retries, for many seconds if one is down.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
        self.QoS = _QoS  # type: ignore[assignment]

    def _connparams(self, *args: Any, **kwargs: Any) -> Any:
        options = self.connection.client.transport_options
        asked = {"protocol": options["protocol"]} if "protocol" in options else {}
        return super()._connparams(*args, **kwargs) | asked  # type: ignore[no-untyped-call]

    def _brpop_read(self, **options: Any) -> Any:
        """Read a message. One that isn't JSON is already off the queue, and an error here would end the worker."""
        try:
            found = super()._brpop_read(**options)  # type: ignore[no-untyped-call]
        except Empty:
            _note_problem("")
            raise
        except OSError as error:
            _note_problem(describe_failure(error))
            raise
        except RedisError as error:
            _note_problem(describe_failure(error))
            # Celery reconnects at once. To a Redis that accepts connections and refuses commands (a replica, a full
            # one, one with few rights) it would do that in a tight loop.
            Event().wait(_REFUSED_WAIT_SECONDS)
            raise
        except Exception as error:  # noqa: BLE001 - kombu decodes JSON into objects whose constructors raise anything
            log.error("task.dropped", problem=type(error).__name__)  # noqa: TRY400 - the text may quote the message
            return True
        _note_problem("")
        return found

    def _get_pool(self, asynchronous: bool = False) -> Pool:  # noqa: FBT001, FBT002 - kombu's
        primary = self.connection.client.transport_options.get("primary")
        return Pool(primary=primary, **self._connparams(asynchronous=asynchronous))


class _Transport(kombu_redis.Transport):
    Channel = _Channel

    def _deliver(self, message: Any, queue: str) -> None:
        """Pass a task on as written by us. Celery would log the text of a message it can't read."""
        try:
            journey, survey_id = read_task(message)
        except NotATaskError:
            log.error("task.dropped", problem="no task of Afterword")  # noqa: TRY400 - nothing else is known
            return
        if queue in self._callbacks:
            super()._deliver(write_task(journey, survey_id, str(uuid4())), queue)  # type: ignore[no-untyped-call]
        else:
            # It arrived while the worker stops, so it is the next task of another one. A lost one is queued again.
            with suppress(RedisError):
                self.channels[0].client.rpush(queue, json.dumps(message))


# Registered by name for all of kombu: Celery's pools create connections themselves, and pass on no transport class.
TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), f"{__name__}:_Transport"))


class _Connection(Connection):
    """Retries the connection every few seconds. kombu's own backoff would grow to 30."""

    def ensure_connection(self, *args: Any, **kwargs: Any) -> Any:
        given = {"interval_max": _MAX_RECONNECT_SECONDS} | kwargs
        return super().ensure_connection(*args, **given)  # type: ignore[no-untyped-call]


def make_app(redis_url: str) -> Celery:
    """Create a Celery app on this Redis."""
    sentinels = find_sentinels(redis_url)
    primary_url = sentinels.primary_url if sentinels else redis_url
    app = Celery(NAME, broker=_kombu_url(primary_url), set_as_current=False)
    app.amqp.Connection = _Connection
    app.conf.update(
        # An acknowledgement would return a lost task only after the visibility timeout, and may run one twice. The
        # lease of the record does both better. kombu needs eight commands for each.
        task_queues=[Queue(QUEUE, no_ack=True)],  # type: ignore[no-untyped-call]
        task_default_queue=QUEUE,
        task_acks_late=False,
        task_ignore_result=True,
        # A prefetched task would wait in one worker while another one is idle.
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        broker_connection_retry_on_startup=True,
        # A replica refuses BRPOP, and so do few rights. By default such a channel error ends the worker.
        broker_channel_error_retry=True,
        # Both only concern late acknowledgement. Without them Celery logs a warning at each reconnection.
        worker_cancel_long_running_tasks_on_connection_loss=True,
        worker_enable_prefetch_count_reduction=False,
        # By default a worker gives up after 100 tries, and somebody would have to restart it.
        broker_connection_max_retries=None,
        broker_pool_limit=1,
        broker_pool_acquire_timeout=_CONNECT_SECONDS,
        broker_transport_options=_transport_options(primary_url)
        | ({"primary": SentinelPrimary(sentinels)} if sentinels else {}),
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


def _transport_options(redis_url: str) -> dict[str, Any]:
    given = dict(parse_qsl(urlsplit(redis_url).query))
    return {
        "ack_emulation": False,
        "priority_steps": [0],
        "socket_timeout": _RESPONSE_SECONDS,
        "socket_connect_timeout": _CONNECT_SECONDS,
        "health_check_interval": 10,
        # Beside the connection blocked in BRPOP.
        "max_connections": 1,
        "global_keyprefix": "afterword:",
        # The version of Redis's protocol, for `_Channel`.
        **({"protocol": int(given["protocol"])} if "protocol" in given else {}),
    }


def check_connection(app: Celery) -> None:
    """Connect as a worker does. Raises QueueUnavailable."""
    try:
        with app.connection_or_acquire() as connection:
            # Opening a channel sends a PING.
            connection.default_channel.client.ping()
    except Exception as error:
        # kombu raises its own errors, Celery's, those of sockets, and whatever its transport raises.
        raise QueueUnavailable(describe_failure(error)) from error
