"""Another process can control the sandbox over HTTP and read its state."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from service.sandbox.server import Sandbox
from tests.polling import eventually
from tests.sandbox.conftest import Client

ROOT = Path(__file__).parents[2]


class Control:
    def __init__(self, url: str) -> None:
        self.url = f"{url}/_sandbox"

    def post(self, path: str, body: object = None) -> requests.Response:
        return requests.post(self.url + path, json=body, timeout=30)

    def get(self, path: str) -> requests.Response:
        return requests.get(self.url + path, timeout=30)


@pytest.fixture
def control(dixa: Sandbox) -> Control:
    return Control(dixa.url)


def test_conversations_are_made_closed_and_reopened(dixa: Sandbox, control: Control) -> None:
    wanted = {"count": 2, "channel": "WhatsApp", "agent": False, "tags": ["vip"], "requester": {"name": "Bo"}}
    made = control.post("/conversations", wanted)
    assert made.status_code == 201
    first, second = made.json()["ids"]
    assert (dixa.conversation(first).channel, dixa.conversation(first).requester.name) == ("WhatsApp", "Bo")
    assert control.post(f"/conversations/{first}/close").status_code == 204
    assert control.post(f"/conversations/{second}/erase").status_code == 204
    assert dixa.conversation(first).state == "Closed"
    assert dixa.conversation(second).anonymized_at
    assert control.post(f"/conversations/{first}/reopen").status_code == 204
    assert control.post("/conversations/7/close").status_code == 404


@pytest.mark.parametrize("body", [{"count": 0}, {"colour": "red"}, {"requester": {"nick": "x"}}, [1]])
def test_an_invalid_request_is_explained(control: Control, body: object) -> None:
    assert control.post("/conversations", body).status_code == 400


def test_faults_are_added_and_cleared(dixa: Sandbox, control: Control, client: Client) -> None:
    number = dixa.make_conversation()
    control.post("/faults", {"kind": "executes_then_drops", "call": "offer", "times": 2})
    with pytest.raises(requests.ConnectionError):
        client.offer(number)
    assert control.get("/faults").json()["pending"][0]["times"] == 1
    assert requests.delete(f"{control.url}/faults", timeout=30).status_code == 204
    control.post("/faults", {"kind": "outage"})
    assert client.offer(number).status_code == 503
    control.post("/faults", {"kind": "outage_is_over"})
    control.post("/faults", {"kind": "throttles", "retry_after": 3})
    assert client.offer(number).headers["Retry-After"] == "3"
    control.post("/faults", {"kind": "random", "seed": 1, "chances": {"fails": 1.0}})
    assert client.offer(number).status_code >= 500


@pytest.mark.parametrize(
    "body", [{}, {"kind": "explodes"}, {"kind": "fails", "call": "x"}, {"kind": "fails", "colour": "red"}]
)
def test_an_unknown_fault_is_explained(control: Control, body: object) -> None:
    assert control.post("/faults", body).status_code == 400


def test_the_state_contains_everything(dixa: Sandbox, control: Control, client: Client) -> None:
    number = dixa.make_conversation(subject="Hello")
    rating_id = client.offered(number)
    client.offer(number)
    client.submit(number, rating_id, 3, comment="Fine")
    client.submit(number, rating_id, 3)
    client.post(f"/conversations/{number}/notes", {"message": "Noted"})
    state = control.get("/state").json()
    [shown] = state["conversations"]
    assert (shown["id"], shown["subject"], shown["notes"][0]["message"]) == (number, "Hello", "Noted")
    assert (len(shown["offers"]), shown["results"][0]["comment"]) == (2, "Fine")
    report = control.get("/report").json()
    assert (report["offers"], report["results"], report["surveyed"]) == (2, 1, 1)
    assert (len(report["second_offers"]), len(report["double_submits"])) == (1, 1)
    assert report["refused"] == {"submit 400": 1}
    calls = control.get("/calls").json()
    assert [(call["call"], call["status"]) for call in calls][:2] == [("offer", 201), ("offer", 201)]
    assert dixa.token not in control.get("/calls").text


def test_reset_deletes_everything(dixa: Sandbox, control: Control, client: Client) -> None:
    client.offer(dixa.make_conversation())
    dixa.outage()
    assert control.post("/reset").status_code == 204
    assert control.get("/state").json()["conversations"] == []
    assert control.get("/calls").json() == []
    assert control.get("/faults").json()["outage"] is False


def test_listeners_see_each_exchange(dixa: Sandbox, client: Client) -> None:
    seen: list[str] = []
    dixa.on_exchange.append(lambda exchange: seen.append(exchange.call))
    client.offer(dixa.make_conversation())
    assert seen == ["offer"]


@pytest.fixture
def program() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "service.sandbox", "--port", "0", "--token", "mine", "--rate", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    yield process
    process.kill()
    process.communicate()


def test_it_runs_as_a_program_and_ends_on_sigterm(program: subprocess.Popen[str]) -> None:
    assert program.stdout
    url = program.stdout.readline().split()[2]
    assert len(Control(url).get("/state").json()["conversations"]) > 5
    answers = [
        requests.get(f"{url}/beta/organization", headers={"Authorization": "mine"}, timeout=30) for _ in range(9)
    ]
    assert {answer.status_code for answer in answers} == {200}
    program.send_signal(signal.SIGTERM)
    assert eventually(lambda: program.poll() is not None)
    assert (program.returncode, program.stdout.read()) == (0, "")


def test_a_used_port_is_explained(dixa: Sandbox) -> None:
    command = [sys.executable, "-m", "service.sandbox", "--port", dixa.url.rsplit(":", 1)[1]]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("The sandbox Dixa can't listen on http://127.0.0.1:")
