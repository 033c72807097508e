"""Scrapes `/metrics` of an app in this process."""

from collections.abc import Iterator, Mapping

from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from tests.processes import PUBLIC_URL

METRICS_TOKEN = "a-token-of-prometheus-0123456789"
BEARER = {"Authorization": f"Bearer {METRICS_TOKEN}"}


def scrape(client: FlaskClient) -> str:
    response = client.get("/metrics", base_url=PUBLIC_URL, headers=BEARER)
    assert response.status_code == 200
    return response.text


def read(text: str) -> dict[str, float]:
    """Return each sample, such as `afterword_due_surveys{journey="offer"}`."""
    return {
        _name(sample.name, sample.labels): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _name(name: str, labels: Mapping[str, str]) -> str:
    shown = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    return f"{name}{{{shown}}}" if shown else name


def families_of(text: str) -> Iterator[str]:
    """Yield the name of each metric, as in `# TYPE`."""
    return (line.split()[2] for line in text.splitlines() if line.startswith("# TYPE "))
