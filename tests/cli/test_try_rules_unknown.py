"""`afterword try-rules` counts a decision as unknown if the API lacks a fact for it."""

from service.sandbox.dixa.model import Person
from service.sandbox.server import Sandbox
from tests.cli.conftest import Runner
from tests.cli.dry_run import MAIL, ONE, close, dry_run, percentage_lines

CAREFUL = """
[[survey]]
name = "test"
cooldown = "0s"
deliver = ["message", "email"]

[survey.match]
addresses = ["afterword.test@northwind.example"]

[[survey]]
name = "live"
daily_cap = 20
deliver = ["message", "email"]

[survey.match]
sample = 1.0
assigned = true
"""

"""The surveys are like those of config/examples/careful-start.toml."""


def test_unknown_address_is_not_counted_as_asked(run: Runner, dixa: Sandbox) -> None:
    """The API doesn't show the address of a chat's customer, so the rule `addresses` of `test` is unknown."""
    for _ in range(20):
        close(dixa, channel="WidgetChat")
    close(dixa, requester=Person("We", "afterword.test@northwind.example"))
    close(dixa, agent=False)
    assert percentage_lines(run("try-rules", surveys=CAREFUL, **MAIL).output) == [
        "would be asked 1 4.5%",
        "test 1 4.5%",
        "unknown 20 90.9%",
        "test, if addresses 20 90.9%",
        "would not be asked 1 4.5%",
        "no_survey_matches 1 4.5%",
    ]
    found = dry_run(run, surveys=CAREFUL.replace("sample = 1.0", "sample = 0"), **MAIL)
    assert (found["asked"], sum(found["skipped"].values())) == ({"test": 1}, 1)
    assert found["unknown"] == [{"survey": "test", "rules": ["addresses"], "count": 20}]


def test_every_rule_without_a_fact_is_named(run: Runner, dixa: Sandbox) -> None:
    close(dixa, channel="WidgetChat")
    close(dixa, agent=False)
    surveys = ONE.replace("[survey.match]", "not_before = 2999-01-01\n[survey.match]") + (
        'user_types = ["Contact"]\ncontact_points = ["help@nordlys.example"]\nassignee_types = ["Member"]\n'
    )
    output = run("try-rules", surveys=surveys).output
    assert "one, if contact_points and user_types and assignee_types 1 50.0%" in percentage_lines(output)
    assert "- assignee_types: the API doesn't show them." in output
    assert "An unknown result counts for no cooldown" in output
    assert dry_run(run, surveys=surveys)["skipped"] == {"unassigned": 1}


def test_unknown_fact_without_influence_is_not_reported(run: Runner, dixa: Sandbox) -> None:
    """The requester's type is unknown, but another rule excludes the conversation anyway."""
    close(dixa)
    first = ONE.replace('"one"', '"first"') + 'user_types = ["Contact"]\nchannels = ["PSTN_PHONE"]\n'
    found = dry_run(run, surveys=first + ONE)
    assert (found["asked"], found["unknown"]) == ({"one": 1}, [])
    customer = Person("Ida Holm", "ida@example.com")
    close(dixa, requester=customer, tags=["spam"])
    by_type = ONE + 'user_types = ["Contact"]\nwithout_tags = ["spam"]\n'
    assert dry_run(run, surveys=by_type)["skipped"] == {"tag_excluded": 1}


def test_unassigned_conversation_matches_no_assignee_type(run: Runner, dixa: Sandbox) -> None:
    close(dixa, agent=False)
    surveys = ONE.replace("assigned = true", 'assignee_types = ["Member"]')
    assert dry_run(run, surveys=surveys)["skipped"] == {"assignee_type": 1}


def test_customer_reachable_by_email_only_is_unknown(run: Runner, dixa: Sandbox) -> None:
    close(dixa, channel="PstnPhone")
    close(dixa, channel="WidgetChat")
    close(dixa)
    surveys = ONE.replace("[survey.match]", 'deliver = ["message", "email"]\n[survey.match]')
    found = dry_run(run, surveys=surveys, **MAIL)
    assert (found["asked"], found["skipped"]) == ({"one": 2}, {})
    assert found["unknown"] == [{"survey": "one", "rules": ["deliver"], "count": 1}]


def test_unknown_result_counts_for_no_cooldown(run: Runner, dixa: Sandbox) -> None:
    customer = Person("Ida Holm", "ida@example.com")
    for days_ago, channel in ((3, "WidgetChat"), (2, "Email"), (1, "WidgetChat")):
        close(dixa, days_ago=days_ago, channel=channel, requester=customer)
    found = dry_run(run, surveys=ONE + 'addresses = ["ida@example.com"]\n')
    assert (found["asked"], found["skipped"]) == ({"one": 1}, {})
    assert [each["count"] for each in found["unknown"]] == [2]


def test_unknown_address_passes_without_addresses(run: Runner, dixa: Sandbox) -> None:
    close(dixa)
    close(dixa, channel="WidgetChat")
    surveys = ONE + 'without_addresses = ["@example.com"]\n'
    found = dry_run(run, surveys=surveys)
    assert (found["asked"], found["skipped"]) == ({"one": 1}, {"address": 1})
