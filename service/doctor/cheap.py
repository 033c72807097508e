"""The checks without a call outside of Redis and the disk: `/readyz` makes them."""

from service.doctor import archive, redis, settings, spool, work
from service.doctor.finding import Check

CHECKS: tuple[Check, ...] = (*redis.CHEAP, *settings.RUNNING, *work.CHEAP, *spool.CHEAP, *archive.CHECKS)
