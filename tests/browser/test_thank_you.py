"""A thank-you page that redirects to a third host: Chromium follows, with real hosts."""

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
def host(name: str, context: ssl.SSLContext, answer: Response) -> Iterator[str]:
    """Answer everything over HTTPS, under a name that is this machine's."""
    server = make_server("127.0.0.1", 0, Request.application(lambda _: answer), ssl_context=context)
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
    """Run the real web. Its thanks for a 5 link to a host that redirects."""
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
    """Return the web, without the answers of the test before: all have the same link."""
    with redis.Redis.from_url(web.redis_url) as client:
        client.flushdb()
    return web


@pytest.fixture(params=[False, True], ids=["no script", "script"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    with browser.new_context(viewport=PHONE, java_script_enabled=request.param, ignore_https_errors=True) as context:
        yield context.new_page()


def test_the_customer_gets_through_both_redirects(afterword: Afterword, page: Page) -> None:
    link = f"{afterword.url}/s/{sign(at=NEW_ENOUGH)}"
    page.goto(f"{link}?r=5")
    page.get_by_role("button", name="Confirm rating").click()
    page.get_by_role("heading", name="Rate us here as well").wait_for()
    # Back leads to the survey, not through the thanks to the same place again.
    page.go_back()
    page.get_by_text("Your answer “Very satisfied” is saved.").wait_for()
    assert page.get_by_role("link", name="Continue to localhost").is_visible()
    assert page.url == f"{link}?r=5"


def test_any_other_score_stays_with_us(afterword: Afterword, page: Page) -> None:
    link = f"{afterword.url}/s/{sign(at=NEW_ENOUGH)}"
    page.goto(f"{link}?r=4")
    page.get_by_role("button", name="Confirm rating").click()
    page.get_by_text("Your answer “Satisfied” is saved.").wait_for()
    assert page.url == link


def test_more_time_and_a_change_work_without_a_script(afterword: Afterword, page: Page) -> None:
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
    # Enter sends the answer; it removes nothing.
    page.get_by_label("4 Satisfied", exact=True).check()
    page.keyboard.press("Enter")
    page.get_by_text("Your answer “Satisfied” is saved.").wait_for()
    assert page.get_by_text("Your comment is saved too.").is_visible()
    page.get_by_role("button", name="Change your answer").click()
    page.get_by_role("button", name="Remove my comment").click()
    page.get_by_text("Your comment is removed.").wait_for()
