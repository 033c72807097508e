"""A command's former name is refused with the new one."""

import pytest
from click.testing import CliRunner

from service.cli import main


@pytest.mark.parametrize(
    ("former", "name"),
    [
        ("check", "doctor"),
        ("counts", "stats"),
        ("stop", "opt-out"),
        ("unstop", "opt-in"),
        ("restored", "mark-restored"),
    ],
)
def test_former_name_of_a_command_is_refused_with_the_new_one(former: str, name: str) -> None:
    result = CliRunner().invoke(main, [former])
    assert result.exit_code == 2
    assert f"`{former}` is called `{name}` now." in result.output
    assert name in main.commands
