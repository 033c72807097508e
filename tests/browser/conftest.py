"""A real browser for the tests of this folder, and a server with the survey pages."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest
from flask import Flask, Response, redirect, request
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright
from werkzeug.serving import make_server
from werkzeug.wrappers import Response as BaseResponse

from service.texts.catalog import load_language
from service.web import forms, pages
from tests.browser.tools import browser_path
from tests.web.states import CONTEXT, CSAT, make_app

PHONE: ViewportSize = {"width": 360, "height": 740}
QUIET = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the system's Chromium without a window and without background requests."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), chromium_sandbox=False, args=list(QUIET))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def serving(app: Flask) -> Iterator[str]:
    """Serve `app` on a free port, and yield its URL."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Site:
    """Pages behind a URL, with their requests and posts."""

    url: str = ""
    requested: list[str] = field(default_factory=list)
    posted: list[forms.AnswerForm] = field(default_factory=list)


def add_views(app: Flask, site: Site) -> None:
    """Add views for the form, its errors and the thanks. Other tests cover the real views."""

    @app.before_request
    def count() -> None:
        site.requested.append(request.full_path.rstrip("?"))

    @app.get("/s/token")
    def show() -> Response:
        if site.posted and "change" not in request.args:
            last = site.posted[-1]
            return pages.saved_page(CONTEXT, last.scores, has_comment=bool(last.comment))
        chosen = {CSAT: int(request.args["r"])} if "r" in request.args else {}
        return pages.form_page(CONTEXT, chosen=chosen, preselected=bool(chosen))

    @app.post("/s/token")
    def save() -> BaseResponse:
        try:
            form = forms.load_answer_form(request.form, CONTEXT.ratings)
            if "lang" in request.form:
                translated = replace(CONTEXT, language=load_language(request.form["lang"]))
                return pages.form_page(translated, chosen=form.scores, comment=form.comment, preselected=True)
            site.posted.append(form)
        except forms.FormError as error:
            return pages.form_page(CONTEXT, chosen=error.typed.scores, comment=error.typed.comment, errors=error.errors)
        return redirect("/s/token", 303)


@pytest.fixture(name="server", scope="session")
def serve_site() -> Iterator[Site]:
    app, site = make_app(), Site()
    add_views(app, site)
    with serving(app) as url:
        site.url = url
        yield site


@pytest.fixture
def site(server: Site) -> Site:
    server.requested.clear()
    server.posted.clear()
    return server


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Open a phone-sized window without JavaScript."""
    with browser.new_context(viewport=PHONE, java_script_enabled=False) as context:
        yield context.new_page()


@pytest.fixture(name="scripted", scope="module")
def open_scripted(browser: Browser) -> Iterator[Page]:
    """Open one window with JavaScript on, for measuring."""
    with browser.new_context() as context:
        yield context.new_page()
