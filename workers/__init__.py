"""The worker process: Celery tasks, thin, and the relay that turns due records into tasks."""
