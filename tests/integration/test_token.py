"""A wrong API token: all surveys wait, the status names it, and they continue with a right one."""

import requests

from service.sandbox.server import Sandbox
from tests.integration.conftest import Teller
from tests.polling import eventually
from tests.processes import Afterword

REFUSED = 2


def degraded(afterword: Afterword) -> dict[str, str]:
    found: dict[str, str] = requests.get(f"{afterword.url}/readyz", timeout=30).json()["degraded"]
    return found


def test_surveys_wait_for_the_right_token_and_readyz_says_so(afterword: Afterword, dixa: Sandbox, tell: Teller) -> None:
    before = len(dixa.calls)
    said = afterword.log.count("dixa.token_refused")
    # The first call, and each check of the token.
    dixa.fails(times=2 * REFUSED, status=401)
    story = tell().close()
    trouble = eventually(lambda: degraded(afterword).get("dixa"))
    assert trouble == "Dixa returned 401: is DIXA_API_TOKEN right?"
    story.link()
    assert len(story.offers) == 1
    # One call at a time looked whether the token is right by now, and each refusal was said once.
    assert [call.status for call in dixa.calls[before:]].count(401) == 2 * REFUSED
    assert afterword.log.count("dixa.token_refused") == said + REFUSED
    eventually(lambda: "dixa" not in degraded(afterword))
