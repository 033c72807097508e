"""The thank-you link redirects to a third host. Chromium follows the redirects."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
import redis
import trustme
from playwright.sync_api import Browser, Page
from werkzeug.serving import make_server
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from tests.browser.conftest import PHONE
from tests.processes import Afterword, RedisServer
from tests.web.survey_client import NEW_ENOUGH, sign

HEADING = "<h1>Rate us here as well</h1>"


@contextmanager
def host(name: str, context: ssl.SSLContext, response: Response) -> Iterator[str]:
    """Return the same response to every request over HTTPS, under a name of this machine."""
    server = make_server("127.0.0.1", 0, Request.application(lambda _: response), ssl_context=context)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"https://{name}:{server.port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, redis_server: RedisServer) -> Iterator[Afterword]:
    """Start the real web process. For a 5 its thanks link to a host that redirects."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost", "127.0.0.1").configure_cert(context)
    with ExitStack() as hosts:
        third = hosts.enter_context(host("127.0.0.1", context, Response(HEADING, content_type="text/html")))
        short = hosts.enter_context(host("localhost", context, redirect(third, 302)))
        folder = tmp_path_factory.mktemp("afterword")
        surveys = folder / "surveys.toml"
        surveys.write_text(
            '[[survey]]\nname = "default"\n[[survey.on_answer]]\nscores = [5]\n'
            f'thank_you = "{short}r/1?a=1&b=2"\nredirect = true\n'
        )
        environ = {"REDIS_URL": redis_server.new_database(), "SURVEYS_FILE": str(surveys)}
        afterword = Afterword(folder, {**environ, "THANK_YOU_HOSTS": "localhost"})
        hosts.callback(afterword.stop)
        afterword.start("web")
        yield afterword


@pytest.fixture
def afterword(web: Afterword) -> Afterword:
    """Delete the answers of earlier tests, which use the same link, and return the web process."""
    with redis.Redis.from_url(web.redis_url) as client:
        client.flushdb()
    return web


@pytest.fixture(params=[False, True], ids=["no script", "script"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    with browser.new_context(viewport=PHONE, java_script_enabled=request.param, ignore_https_errors=True) as context:
        yield context.new_page()


def test_browser_follows_both_redirects(afterword: Afterword, page: Page) -> None:
    link = f"{afterword.url}/s/{sign(at=NEW_ENOUGH)}"
    page.goto(f"{link}?r=5")
    page.get_by_role("button", name="Confirm rating").click()
    page.get_by_role("heading", name="Rate us here as well").wait_for()
    # The back button opens the survey, not the redirect.
    page.go_back()
    page.get_by_text("Your answer “Very satisfied” is saved.").wait_for()
    assert page.get_by_role("link", name="Continue to localhost").is_visible()
    assert page.url == f"{link}?r=5"


def test_other_scores_show_the_thanks(afterword: Afterword, page: Page) -> None:
    link = f"{afterword.url}/s/{sign(at=NEW_ENOUGH)}"
    page.goto(f"{link}?r=4")
    page.get_by_role("button", name="Confirm rating").click()
    page.get_by_text("Your answer “Satisfied” is saved.").wait_for()
    assert page.url == link


def test_more_time_and_changes_work_without_javascript(afterword: Afterword, page: Page) -> None:
    link = f"{afterword.url}/s/{sign(at=NEW_ENOUGH)}"
    page.goto(f"{link}?r=2")
    page.get_by_role("button", name="Confirm rating").click()
    page.get_by_text("(in 5 minutes)").wait_for()
    page.get_by_label("Anything you would like to add?").fill("My card is 4111")
    page.get_by_role("button", name="I need more time").click()
    page.get_by_text("(in 20 minutes)").wait_for()
    assert page.get_by_label("Anything you would like to add?").input_value() == "My card is 4111"
    page.get_by_role("button", name="Add comment").click()
    page.get_by_text("Your comment is saved too.").wait_for()
    page.get_by_role("button", name="Change your answer").click()
    page.get_by_role("button", name="Remove my comment").wait_for()
    # The enter key saves the answer, and doesn't remove the comment.
    page.get_by_label("4 Satisfied", exact=True).check()
    page.keyboard.press("Enter")
    page.get_by_text("Your answer “Satisfied” is saved.").wait_for()
    assert page.get_by_text("Your comment is saved too.").is_visible()
    page.get_by_role("button", name="Change your answer").click()
    page.get_by_role("button", name="Remove my comment").click()
    page.get_by_text("Your comment is removed.").wait_for()
