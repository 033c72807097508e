"""The steps of the worker's start and stop, beside Celery's own."""

from typing import Any

from celery import bootsteps


class RelayStep(bootsteps.StartStopStep):  # type: ignore[misc]
    """Runs the relay of the app in a thread of the worker, after its pool has started."""

    requires = ("celery.worker.components:Pool",)

    def start(self, worker: Any) -> None:
        """Start with the worker."""
        # 100,000 due records must not flood the queue. Two tasks a thread keep all threads busy; the rest stays due.
        worker.app.relay.start(lambda: 2 * worker.concurrency)

    def stop(self, worker: Any) -> None:
        """Stop with the worker."""
        worker.app.relay.loop.stop()


class BackgroundStep(bootsteps.StartStopStep):  # type: ignore[misc]
    """Runs the app's other loops, each in a thread of the worker."""

    requires = ("celery.worker.components:Pool",)

    def start(self, worker: Any) -> None:
        """Start with the worker."""
        for each in worker.app.background:
            each.start()

    def stop(self, worker: Any) -> None:
        """Stop with the worker."""
        for each in worker.app.background:
            each.stop()


class WakeStep(bootsteps.StartStopStep):  # type: ignore[misc]
    """Wakes Celery's event loop when a thread of the pool is free again.

    With `worker_disable_prefetch` the loop takes no task while all threads are busy. It would notice a free one only at
    its next event or timer, up to a second later.
    """

    requires = ("celery.worker.components:Pool",)

    def start(self, worker: Any) -> None:
        """Start with the worker."""
        apply = worker.pool.on_apply

        def apply_and_wake(*args: Any, **kwargs: Any) -> Any:
            result = apply(*args, **kwargs)
            # Celery's signals come before it has counted the thread as free.
            result.f.add_done_callback(lambda _: worker.hub.call_soon(_do_nothing))
            return result

        worker.pool.on_apply = apply_and_wake


def _do_nothing() -> None: ...
