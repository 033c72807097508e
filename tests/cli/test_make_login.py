"""`afterword make-login` prints an entry of OPERATOR_LOGINS."""

from click.testing import CliRunner, Result
from werkzeug.security import check_password_hash

from config import operators
from config.operators import Role
from service.cli import main

PASSWORD = "correct horse battery"


def make(*arguments: str, typed: str = f"{PASSWORD}\n{PASSWORD}\n") -> Result:
    return CliRunner().invoke(main, ["make-login", *arguments], input=typed)


def test_the_entry_is_a_login_with_the_hash_of_the_password() -> None:
    for arguments, role in ((["anna"], Role.LOOK), (["anna", "--role", "act"], Role.ACT)):
        result = make(*arguments)
        assert result.exit_code == 0
        login = operators.logins(result.stdout.strip())["anna"]
        assert login.role is role
        assert check_password_hash(login.password_hash, PASSWORD)
        assert PASSWORD not in result.output


def test_a_bad_name_or_a_short_password_is_refused() -> None:
    assert "1 to 40 of A-Z" in make("anna:holm").output
    assert "12 characters" in make("anna", typed="short\nshort\n").output
    assert make("anna", "--password", "x").exit_code == 2, "a password is no argument: others could read it in the list"
