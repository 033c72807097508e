"""All surveys wait while Dixa refuses the API token, and `/readyz` shows the reason."""

import requests

from service.sandbox.server import Sandbox
from tests.integration.conftest import NewSurvey
from tests.polling import eventually
from tests.processes import Afterword

REFUSED = 2


def degraded(afterword: Afterword) -> dict[str, str]:
    found: dict[str, str] = requests.get(f"{afterword.url}/readyz", timeout=30).json()["degraded"]
    return found


def test_surveys_wait_while_dixa_refuses_the_token(afterword: Afterword, dixa: Sandbox, new_survey: NewSurvey) -> None:
    before = len(dixa.calls)
    logged = afterword.log.count("dixa.token_refused")
    # The first call and each check of the token fail.
    dixa.fails(times=2 * REFUSED, status=401)
    story = new_survey().close()
    reason = eventually(lambda: degraded(afterword).get("dixa.outage"))
    assert reason
    assert reason.startswith("Dixa returned 401: is DIXA_API_TOKEN right?")
    story.link()
    assert len(story.offers) == 1
    # One call at a time checked the token, and each refusal was logged once.
    assert [call.status for call in dixa.calls[before:]].count(401) == 2 * REFUSED
    assert afterword.log.count("dixa.token_refused") == logged + REFUSED
    eventually(lambda: "dixa.outage" not in degraded(afterword))
