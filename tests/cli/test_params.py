"""What an operator has at hand names a conversation: its number, the page's address, an id from a log."""

import pytest

from tests.cli.conftest import Runner
from tests.harness import Story

COMMANDS = ["why", "retry"]


@pytest.mark.parametrize(
    "named",
    [
        "48203",
        "#48203",
        " 48203 ",
        "48203-2",
        "https://nordlys.dixa.com/conversation/48203",
        "https://nordlys.dixa.com/conversation/48203/",
        "https://nordlys.dixa.com/#/conversations/48203",
        "https://nordlys.dixa.com/conversation/48203?tab=notes/7#top",
    ],
)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_conversation_has_many_names(run: Runner, command: str, named: str) -> None:
    assert "onversation 48203" in run(command, named, fails=True).output


@pytest.mark.parametrize(
    "named",
    ["", "0", "#", "-1", "48203-", "48203-x", "4.8", "٤٨", "48203 48204", "https://nordlys.dixa.com/", "9" * 5000],
)
@pytest.mark.parametrize("command", COMMANDS)
def test_what_names_none_is_told_what_does(run: Runner, command: str, named: str) -> None:
    told = run(command, "--", named, fails=True).output
    assert "is not a conversation. Write its number, such as 48201." in told


def test_a_survey_id_of_the_log_finds_its_conversation(run: Runner, story: Story) -> None:
    survey_id = story.begin()
    assert f"Conversation {survey_id} (times in UTC)" in run("why", f"{survey_id}-2").output
