"""Fingerprints of settings: web, worker and commands compare them without showing secrets."""

from collections.abc import Mapping
from dataclasses import asdict
from hashlib import blake2s

from config.settings import Settings


def take_fingerprint(settings: Settings) -> Mapping[str, str]:
    """Return a short hash of each setting that must be equal in all processes, by variable.

    Four bytes show a difference, and reveal no secret.
    """
    timings, theme = settings.timings, settings.theme
    alike = {
        "SECRET_KEYS": settings.secret_keys,
        "REDIS_REPLICAS": settings.redis_replicas,
        "PUBLIC_URL": settings.public_url,
        "SURVEYS_FILE": list(map(asdict, settings.surveys)),
        "BRAND_NAME": settings.brand_name,
        "BRAND_ACCENT": (theme.light.accent, theme.dark.accent),
        "BRAND_LOGO": theme.logo.uri if theme.logo else "",
        "DEFAULT_LANGUAGE": settings.default_language,
        "TIME_ZONE": settings.time_zone.key,
        "SHORT_LINKS": settings.short_links,
        "SUPPORT_URL": settings.support_url,
        "PRIVACY_URL": settings.privacy_url,
        "OPERATOR": settings.operator,
        "MAIL_FROM": sorted(settings.own_addresses),
        "RECORD_RETENTION": timings.record_retention,
        "ADDRESS_RETENTION": timings.address_retention,
        "COMMENT_RETENTION": timings.comment_retention,
        "FACTS_RETENTION": timings.facts_retention,
        "AGENT_RETENTION": timings.agent_retention,
        "EVENTS": sorted(settings.sent_events),
        "LEASE": timings.lease,
        "RECONCILE_AFTER": timings.reconcile_after,
    }
    return {name: _hash(name, repr(value)) for name, value in alike.items()}


def _hash(name: str, value: str) -> str:
    return blake2s(value.encode(), person=name[:8].encode(), digest_size=4).hexdigest()
