"""A running web, under gunicorn and gevent, shows what a running worker has done: at /metrics and at /api/v1."""

from concurrent.futures import ThreadPoolExecutor

import requests

from service.sandbox.server import Sandbox
from tests.integration.conftest import Starter
from tests.integration.test_archive import Installation
from tests.polling import eventually
from tests.web.scrapes import read

TOKEN = "a-token-of-programs-0123456789"


def get(installation: Installation, path: str) -> requests.Response:
    # A new connection each time: either web process may take it.
    url, headers = f"{installation.afterword.url}{path}", {"Authorization": f"Bearer {TOKEN}", "Connection": "close"}
    response = requests.get(url, headers=headers, timeout=30)
    assert response.status_code == 200, response.text
    return response


def test_programs_see_what_the_processes_do(start: Starter, dixa: Sandbox, archive_url: str) -> None:
    installation = Installation(start, dixa, archive_url, METRICS_TOKEN=TOKEN, API_READ_TOKEN=TOKEN)
    answered, silent = installation.survey(4), installation.survey()
    eventually(installation.is_current)

    def found() -> dict[str, float]:
        return read(get(installation, "/metrics").text)

    with ThreadPoolExecutor(8) as pool:
        for each in pool.map(lambda _: found(), range(16)):
            assert each['afterword_surveys{reason="",state="submitted"}'] == 1
            assert each['afterword_surveys{reason="",state="delivered"}'] == 1
            assert each["afterword_close_to_delivery_seconds_count"] == 2
            assert each['afterword_decisions_today{reason="asked"}'] == 2
            assert each['afterword_processes{role="worker"}'] == 1
            assert each["afterword_archive_up"] == 1
    (answer,) = get(installation, "/api/v1/answers").json()["answers"]
    assert (answer["survey_id"], answer["csat"]) == (answered, 4)
    assert get(installation, f"/api/v1/surveys/{silent}").json()["state"] == "delivered"
    # A worker reports its calls every ten seconds, and at its end: look-ups, offers, messages and a result.
    installation.afterword.stop_one("worker")
    last = found()
    # Workers of other tests may use the same sandbox.
    ours = [each for each in dixa.calls if {answered, silent} & {*each.path.split("/")}]
    assert last['afterword_dixa_calls_total{outcome="ok"}'] >= len(ours) >= 6
    assert last['afterword_processes{role="worker"}'] == 0
    assert TOKEN not in installation.afterword.log
    installation.afterword.stop()
