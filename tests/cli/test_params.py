"""A command accepts a conversation's number, its page's address, or a survey id from the log."""

import pytest

from tests.cli.conftest import Runner
from tests.harness import Story

COMMANDS = ["why", "retry"]


@pytest.mark.parametrize(
    "argument",
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
def test_conversation_is_found_by_number_address_or_survey_id(run: Runner, command: str, argument: str) -> None:
    assert "onversation 48203" in run(command, argument, fails=True).output


@pytest.mark.parametrize(
    "argument",
    ["", "0", "#", "-1", "48203-", "48203-x", "4.8", "٤٨", "48203 48204", "https://nordlys.dixa.com/", "9" * 5000],
)
@pytest.mark.parametrize("command", COMMANDS)
def test_other_text_is_refused_with_an_example(run: Runner, command: str, argument: str) -> None:
    output = run(command, "--", argument, fails=True).output
    assert "is not a conversation. Write its number, such as 48201." in output


def test_survey_id_of_the_log_finds_its_conversation(run: Runner, story: Story) -> None:
    survey_id = story.begin()
    assert f"Conversation {survey_id} (times in UTC)" in run("why", f"{survey_id}-2").output
