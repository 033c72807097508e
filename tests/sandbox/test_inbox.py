"""The inbox works with plain forms and shows the results."""

import re
from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import Browser

from service.sandbox.dixa.faults import Fault, Kind
from service.sandbox.dixa.model import Message, Person, Rating, Result, now
from service.sandbox.server import Sandbox
from service.sandbox.settings import SandboxSettings
from service.sandbox.ui.message_text import readable, snippet
from tests.polling import eventually
from tests.sandbox.conftest import Client

LINK_TAG = '<a href="%s" rel="noopener noreferrer" target="_blank">'


@pytest.fixture
def dixa() -> Iterator[Sandbox]:
    sandbox = Sandbox(SandboxSettings(rate=None, has_samples=True, attempts=1)).start()
    yield sandbox
    sandbox.stop()


def _page(dixa: Sandbox, path: str = "/") -> str:
    response = requests.get(dixa.url + path, timeout=30)
    assert response.status_code == 200
    return response.text


def test_the_inbox_lists_every_sample(dixa: Sandbox) -> None:
    page, samples = _page(dixa), dixa.state.conversations.values()
    assert len(samples) == 11
    assert all(sample.requester.name in page for sample in samples)
    assert page.count("Close<span") == len(samples)
    assert 'http-equiv="refresh"' not in page


def test_the_close_button_closes_and_redirects_to_the_thread(dixa: Sandbox) -> None:
    number = next(iter(dixa.state.conversations))
    response = requests.post(f"{dixa.url}/conversations/{number}/close", timeout=30)
    assert response.url == f"{dixa.url}/conversations/{number}"
    assert dixa.conversation(number).state == "Closed"
    assert ">Reopen<" in response.text
    requests.post(f"{dixa.url}/conversations/{number}/reopen", timeout=30)
    assert dixa.conversation(number).state == "Open"
    assert requests.post(f"{dixa.url}/conversations/7/close", timeout=30).status_code == 404


def test_the_thread_shows_the_link_then_the_rating_and_the_comment(dixa: Sandbox) -> None:
    client, number = Client(dixa), next(iter(dixa.state.conversations))
    rating_id = client.offered(number)
    body = {
        "_type": "Outbound",
        "agentId": dixa.state.agents[0].id,
        "content": {"_type": "Text", "value": "How was it? http://127.0.0.1:8000/s/abc.def-_1 Thanks"},
        "externalId": "s-1",
    }
    assert client.post(f"/conversations/{number}/messages", body).status_code == 200
    page = _page(dixa, f"/conversations/{number}")
    assert LINK_TAG % "http://127.0.0.1:8000/s/abc.def-_1" in page
    assert "not answered yet" in page
    client.submit(number, rating_id, 4, comment="Good <b>work</b>")
    page = _page(dixa, f"/conversations/{number}")
    assert "CSAT 4 of 5" in page
    assert "Satisfied" in page
    assert "Good &lt;b&gt;work&lt;/b&gt;" in page
    assert "CSAT 4 of 5" in _page(dixa)


def test_the_page_reloads_only_while_something_may_happen(dixa: Sandbox) -> None:
    client, number = Client(dixa), next(iter(dixa.state.conversations))
    dixa.sends_webhooks_to("http://127.0.0.1:1/")
    assert "refresh" not in _page(dixa, f"/conversations/{number}")
    dixa.close(number)
    assert 'http-equiv="refresh"' in _page(dixa, f"/conversations/{number}")
    assert 'http-equiv="refresh"' in _page(dixa)
    client.submit(number, client.offered(number))
    eventually(lambda: all(delivery.is_done for delivery in dixa.deliveries()))
    assert "refresh" not in _page(dixa, f"/conversations/{number}")


@pytest.mark.parametrize(
    "name", ["fail", "lose", "lose-offer", "lose-submit", "drop", "hang", "late", "throttle", "outage"]
)
def test_each_fault_has_a_button_and_can_be_cleared(dixa: Sandbox, name: str) -> None:
    assert f"/trouble/{name}" in _page(dixa)
    requests.post(f"{dixa.url}/trouble/{name}", timeout=30)
    assert dixa.faults.pending() or dixa.faults.is_out
    requests.post(f"{dixa.url}/trouble/none", timeout=30)
    assert not dixa.faults.pending()
    assert not dixa.faults.is_out
    assert requests.post(f"{dixa.url}/trouble/nothing", timeout=30).status_code == 404


def test_the_panel_has_no_words_of_the_api(dixa: Sandbox) -> None:
    """The names of calls are in a collapsed section for engineers."""
    requests.post(f"{dixa.url}/trouble/lose-submit", timeout=5)
    for kind in Kind:
        dixa.inject(Fault(kind, times=2, call="offer"))
    panel = _page(dixa).partition("<aside")[2].partition("For engineers")[0]
    words = set(re.findall(r"[a-z0-9_]+", re.sub(r"<[^>]*>", " ", panel).lower()))
    jargon = "api call calls offer offers offered result results submit refused 429 503 json fault faults throttles"
    assert words & {*jargon.split(), *Kind} == set()
    assert "Customers asked" in panel
    assert "Dixa does its work, but its reply is lost, when an answer is stored" in panel
    assert panel.count("when a survey is begun, 2 times") == len(Kind)


HEBREW = Person("נועה לוי", "noa@example.com")
ARABIC = Person("Layla حداد (VIP)", "layla@example.com")
# How far each line of a row begins from the row's name, whether the name is whole, and how each text is read.
ROWS = """() => [...document.querySelectorAll(".row .what")].map(what => {
    const name = what.querySelector(".who a")
    const box = element => {
        const range = document.createRange()
        range.selectNodeContents(element)
        return range.getBoundingClientRect()
    }
    const firsts = [...what.querySelectorAll(".line")].map(line => box(line.firstElementChild).left)
    return {
        apart: Math.max(0, ...firsts.map(left => Math.abs(left - box(name).left))),
        isCut: box(name).right > what.getBoundingClientRect().right + 1,
        directions: [...what.querySelectorAll("strong, span[dir], q")].map(each => getComputedStyle(each).direction),
    }
})"""


@pytest.mark.parametrize("width", [360, 1280])
def test_a_right_to_left_row_is_laid_out_correctly(dixa: Sandbox, browser: Browser, width: int) -> None:
    """Texts are next to the name, and each has its own direction."""
    for person, subject, text, comment in (
        (HEBREW, "Bag (size 38)", "שלום, הרוכסן לא נסגר.", "השירות היה מצוין (בצ'אט)."),
        (ARABIC, "حقيبة (مقاس 38)", "Order 4711 is here.", "ممتاز! شكرًا لكم (5/5)."),
    ):
        found = dixa.conversation(dixa.make_conversation(requester=person, subject=subject))
        found.messages.append(Message("a", text))
        found.ratings.append(Rating("Csat", "u", "a", result=Result("r", "Csat", 4, comment, now(), now())))
    with browser.new_context(viewport={"width": width, "height": 800}) as context:
        page = context.new_page()
        page.goto(dixa.url)
        rows = page.evaluate(ROWS)
        assert page.evaluate("() => document.documentElement.scrollWidth") == width
    assert [row for row in rows if row["apart"] > 16 or row["isCut"]] == []
    assert sorted(row["directions"] for row in rows[:2]) == [["ltr", "rtl", "rtl"], ["rtl", "ltr", "rtl"]]


def test_a_button_redirects_to_its_own_page_only(dixa: Sandbox) -> None:
    number = next(iter(dixa.state.conversations))

    def lands(back: str) -> str:
        response = requests.post(f"{dixa.url}/trouble/fail", data={"back": back}, timeout=30, allow_redirects=False)
        return response.headers["Location"]

    assert lands(f"/conversations/{number}") == f"/conversations/{number}"
    assert lands("//evil.example") == "/"
    assert lands("https://evil.example") == "/"


def test_start_over_restores_the_samples(dixa: Sandbox) -> None:
    samples = len(dixa.state.conversations)
    dixa.make_conversation(subject="Another one")
    assert "Another one" in _page(dixa)
    requests.post(f"{dixa.url}/reset", timeout=30)
    assert "Another one" not in _page(dixa)
    assert len(dixa.state.conversations) == samples


def test_a_form_of_another_site_is_refused(dixa: Sandbox) -> None:
    number = next(iter(dixa.state.conversations))
    headers = {"Origin": "https://evil.example"}
    response = requests.post(f"{dixa.url}/conversations/{number}/close", headers=headers, timeout=30)
    assert response.status_code == 403
    assert dixa.conversation(number).state == "Open"
    own = requests.post(f"{dixa.url}/conversations/{number}/close", headers={"Origin": dixa.url}, timeout=30)
    assert own.status_code == 200


@pytest.mark.parametrize(
    "name", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "192.0.2.1", "[::1", ""]
)
def test_foreign_host_names_are_refused(dixa: Sandbox, name: str) -> None:
    """With DNS rebinding, another site's page could read the inbox."""
    for path in ("/", "/beta/conversations/1"):
        assert requests.get(f"{dixa.url}{path}", headers={"Host": name}, timeout=30).status_code in {400, 421}


@pytest.mark.parametrize("name", ["localhost:9000", "127.0.0.1", "dixa.localhost"])
def test_host_names_of_this_machine_are_accepted(dixa: Sandbox, name: str) -> None:
    assert requests.get(dixa.url, headers={"Host": name}, timeout=30).status_code == 200


def test_no_page_fetches_from_other_sites(dixa: Sandbox) -> None:
    policy = requests.get(dixa.url, timeout=30).headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script" not in _page(dixa)
    assert requests.get(f"{dixa.url}/assets/sandbox.css", timeout=30).status_code == 200


def test_html_becomes_text_and_links() -> None:
    html = (
        "<style>p{}</style><script>alert(1)</script><p>Hi &amp; <b>hello</b></p>"
        '<p><a href="https://x.example/s/1">Rate us</a> <a href="javascript:alert(1)">no</a></p>'
    )
    shown = readable(Message("a", html, format="Html"))
    assert shown.striptags() == "Hi & hello Rate us no"
    assert re.findall(r"<(?!/).*?>[^<]*", shown) == [f"{LINK_TAG % 'https://x.example/s/1'}Rate us"]


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("see https://x.example/s/a.b", ["https://x.example/s/a.b"]),
        ("see https://x.example/s/a.b. Bye", ["https://x.example/s/a.b"]),
        ('<a href="http://x.example">', []),
        ('http://x.example/"onclick="alert(1)', ["http://x.example/&#34;onclick=&#34;alert(1)"]),
        ("javascript:alert(1) ftp://x", []),
    ],
)
def test_links_in_text_are_found(text: str, links: list[str]) -> None:
    shown = readable(Message("a", text))
    assert re.findall(r"<.*?>", shown) == [tag for link in links for tag in (LINK_TAG % link, "</a>")]
    assert shown.striptags() == text


def test_markup_of_a_customer_is_shown_as_text(dixa: Sandbox) -> None:
    number = next(iter(dixa.state.conversations))
    dixa.conversation(number).messages.append(Message("a", "<img src=x onerror=alert(1)>"))
    for path in ("/", f"/conversations/{number}"):
        assert "<img" not in _page(dixa, path)


def test_a_snippet_is_one_line() -> None:
    assert snippet(Message("a", "One\n\ntwo  three")) == "One two three"


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [("Nps", 10, "Promoter"), ("Nps", 7, "Passive"), ("Nps", 0, "Detractor"), ("ThumbsUpOrDown", 0, "Thumbs down")],
)
def test_each_rating_has_words(dixa: Sandbox, kind: str, value: int, words: str) -> None:
    number = next(iter(dixa.state.conversations))
    result = Result("r", kind, value, None, now(), now())
    dixa.conversation(number).ratings.append(Rating(kind, "u", "a", result=result))
    assert words in _page(dixa, f"/conversations/{number}")


def test_a_running_preview_is_linked(dixa: Sandbox) -> None:
    assert "/preview" not in _page(dixa)
    assert requests.get(f"{dixa.url}/preview", timeout=30).status_code == 404
    with_one = Sandbox(SandboxSettings(preview="http://127.0.0.1:8030")).start()
    try:
        assert 'href="/preview"' in _page(with_one)
        response = requests.get(f"{with_one.url}/preview", timeout=30, allow_redirects=False)
        assert (response.status_code, response.headers["Location"]) == (302, "http://127.0.0.1:8030")
    finally:
        with_one.stop()
