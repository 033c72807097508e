"""The worker process: thin Celery tasks, and the relay, which queues a task for each due record."""
