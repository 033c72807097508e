"""Redis is restored from an older backup, and failed surveys are retried."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from service.cli import main
from service.records.answer_transitions import GivenAnswer
from service.sandbox.server import Sandbox
from service.sandbox.settings import SandboxSettings
from service.surveys.definition import Survey
from service.surveys.links import Link
from service.surveys.states import AnswerState, OfferState
from tests.harness import AT_ONCE, CSAT, NPS, Story
from tests.polling import eventually
from tests.processes import API_TOKEN, PUBLIC_URL, SECRET_KEY, WEBHOOK_SECRET, RedisServer, patient

PREFIX = "afterword:"
BOTH = Survey(delay=timedelta(), editable_for=timedelta(), ratings=(CSAT, NPS))


class Backup:
    """A Redis with files that can be backed up and restored."""

    def __init__(self, server: RedisServer, folder: Path, beside: Path) -> None:
        self._server = server
        self._folder = folder
        self._copy = beside / "backup"

    def take(self) -> None:
        shutil.copytree(self._folder, self._copy)

    def put_back(self) -> None:
        self._server.stop()
        shutil.rmtree(self._folder)
        shutil.copytree(self._copy, self._folder)
        self._server.start()


@pytest.fixture
def backup(own_redis: RedisServer, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Backup:
    return Backup(own_redis, tmp_path, tmp_path_factory.mktemp("beside"))


@pytest.fixture
def dixa() -> Iterator[Sandbox]:
    sandbox = Sandbox(SandboxSettings(tokens=(API_TOKEN,), rate=None)).start()
    yield sandbox
    sandbox.stop()


@pytest.fixture
def story(own_redis: RedisServer, dixa: Sandbox) -> Iterator[Story]:
    client = patient(own_redis.url)
    yield Story(client, PREFIX, dixa)
    client.close()


def run(own_redis: RedisServer, *arguments: str) -> str:
    environ = {
        "DIXA_API_TOKEN": API_TOKEN,
        "DIXA_WEBHOOK_SECRETS": WEBHOOK_SECRET,
        "SECRET_KEYS": SECRET_KEY,
        "PUBLIC_URL": PUBLIC_URL,
        "REDIS_URL": own_redis.url,
    }
    outcome = CliRunner().invoke(main, arguments, env=environ)
    assert outcome.exit_code == 0, outcome.output
    return outcome.output


def put_back(backup: Backup, own_redis: RedisServer, *commands: str) -> None:
    backup.put_back()
    client = patient(own_redis.url)
    eventually(client.ping)
    client.close()
    for command in commands:
        run(own_redis, command)


def reconnected(own_redis: RedisServer, dixa: Sandbox) -> Story:
    return Story(patient(own_redis.url), PREFIX, dixa)


def test_a_survey_that_went_out_after_the_backup_is_not_sent_again_and_its_answer_arrives(
    story: Story, backup: Backup, own_redis: RedisServer, dixa: Sandbox
) -> None:
    survey_id = story.begin()
    backup.take()
    link = Link.to(story.ask(survey_id))
    put_back(backup, own_redis, "mark-restored")
    again = reconnected(own_redis, dixa)
    assert again.ask(survey_id).offer.state is OfferState.SKIPPED
    assert again.records.save_answer(GivenAnswer(link, AT_ONCE, {CSAT: 4}, "Tak", "en")).outcome == "saved"
    assert again.submit(survey_id).answered.scores == {CSAT: 4}
    again.assert_once(survey_id)


@pytest.mark.parametrize(("commands", "second_submits"), [(["mark-restored"], 0), ([], 1)])
def test_a_result_that_was_submitted_after_the_backup_is_looked_for(
    story: Story, backup: Backup, own_redis: RedisServer, dixa: Sandbox, commands: list[str], second_submits: int
) -> None:
    survey_id = story.begin()
    story.ask(survey_id)
    story.answer(survey_id, {CSAT: 5}, "Tak")
    backup.take()
    story.submit(survey_id)
    put_back(backup, own_redis, *commands)
    again = reconnected(own_redis, dixa)
    assert again.load(survey_id).answer
    submitted = again.submit(survey_id).answer
    assert submitted
    assert submitted.state is AnswerState.SUBMITTED
    assert len(dixa.results()) == 1
    assert len(dixa.report.double_submits) == second_submits, "without the command, Dixa had to refuse it"


@pytest.mark.parametrize(("commands", "second_offers"), [(["mark-restored"], 0), ([], 1)])
def test_an_offer_that_was_made_after_the_backup_is_adopted(
    story: Story, backup: Backup, own_redis: RedisServer, dixa: Sandbox, commands: list[str], second_offers: int
) -> None:
    survey_id = story.begin(BOTH)
    story.after("offer", lambda: dixa.throttles(call="offer", retry_after=1))
    story.offering.run(survey_id)
    assert story.load(survey_id).offer.state is OfferState.OFFERING
    assert [offer.rating for offer in story.load(survey_id).offers] == [CSAT]
    # As if no try had come to nothing: such a record would know an offer of its own by itself.
    story.records._redis.hdel(story.records._key(survey_id), "offer_before")
    backup.take()
    link = Link.to(story.ask(survey_id))
    put_back(backup, own_redis, *commands)
    again = reconnected(own_redis, dixa)
    asked = again.ask(survey_id)
    assert asked.offer.state is OfferState.DELIVERED
    assert len(dixa.report.second_offers) == second_offers
    assert (asked.offers == link.offers) is (second_offers == 0)
    assert [each.direction for each in dixa.messages()].count("Outbound") == 1


def test_what_is_closed_after_the_restore_is_asked_as_ever(
    story: Story, backup: Backup, own_redis: RedisServer, dixa: Sandbox
) -> None:
    story.begin()
    backup.take()
    put_back(backup, own_redis, "mark-restored")
    again = reconnected(own_redis, dixa)
    survey_id = again.begin()
    assert not again.ask(survey_id).reconcile_first
    again.answer(survey_id, {CSAT: 1})
    again.submit(survey_id)
    assert len(dixa.results(int(survey_id))) == 1
    again.assert_no_doubles()


def test_an_operator_revives_a_dead_offer_and_a_dead_answer(
    story: Story, own_redis: RedisServer, dixa: Sandbox
) -> None:
    survey_id = story.begin()
    dixa.fails(status=400, call="offer")
    assert story.ask(survey_id).offer.state is OfferState.FAILED
    assert "offer" in run(own_redis, "retry", survey_id)
    assert story.ask(survey_id).offer.state is OfferState.DELIVERED

    story.answer(survey_id, {CSAT: 2}, "Tak")
    dixa.fails(status=400, call="submit")
    answer = story.submit(survey_id).answer
    assert answer
    assert (answer.state, answer.answer.comment) == (AnswerState.FAILED, "Tak")
    assert "answer" in run(own_redis, "retry", survey_id)
    answer = story.submit(survey_id).answer
    assert answer
    assert answer.state is AnswerState.SUBMITTED
    assert [each.comment for each in dixa.results()] == ["Tak"]
    story.assert_once(survey_id)
