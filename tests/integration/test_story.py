"""The whole story over real processes: a closed conversation becomes a rating in Dixa."""

import re

import requests

from service.sandbox.server import Sandbox
from tests.polling import eventually
from tests.running import Afterword


def link_in(dixa: Sandbox, conversation_id: int) -> str | None:
    """The survey link in a conversation's last message."""
    for message in reversed(dixa.messages(conversation_id)):
        found = re.search(r"https?://[^\s\"<]+/s/[A-Za-z0-9_.-]+", str(message))
        if found:
            return found.group()
    return None


def test_a_closed_conversation_becomes_a_rating(afterword: Afterword, dixa: Sandbox) -> None:
    conversation_id = dixa.make_conversation(channel="Email", language="da")
    dixa.close(conversation_id)
    link = eventually(lambda: link_in(dixa, conversation_id), within=10)
    assert link is not None
    sent = requests.post(link, data={"rating": "4", "comment": "Hurtig hjælp 🙂"}, timeout=5)
    assert sent.history[0].status_code == 303
    assert "Thank you" in sent.text
    result = eventually(lambda: dixa.results(conversation_id), within=10)[0]
    assert result.value == 4
