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

    def __init__(self, server: RedisServer, folder: Path, other_folder: Path) -> None:
        self._server = server
        self._folder = folder
        self._copy = other_folder / "backup"

    def take(self) -> None:
        shutil.copytree(self._folder, self._copy)

    def restore(self) -> None:
        self._server.stop()
        shutil.rmtree(self._folder)
        shutil.copytree(self._copy, self._folder)
        self._server.start()


@pytest.fixture
def backup(own_redis: RedisServer, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Backup:
    return Backup(own_redis, tmp_path, tmp_path_factory.mktemp("other_folder"))


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
    result = CliRunner().invoke(main, arguments, env=environ)
    assert result.exit_code == 0, result.output
    return result.output


def restore(backup: Backup, own_redis: RedisServer, *commands: str) -> None:
    backup.restore()
    client = patient(own_redis.url)
    eventually(client.ping)
    client.close()
    for command in commands:
        run(own_redis, command)


def reconnected(own_redis: RedisServer, dixa: Sandbox) -> Story:
    return Story(patient(own_redis.url), PREFIX, dixa)


def test_survey_sent_after_the_backup_is_not_sent_again(
    story: Story, backup: Backup, own_redis: RedisServer, dixa: Sandbox
) -> None:
    survey_id = story.begin()
    backup.take()
    link = Link.to(story.ask(survey_id))
    restore(backup, own_redis, "mark-restored")
    restored = reconnected(own_redis, dixa)
    assert restored.ask(survey_id).offer.state is OfferState.SKIPPED
    assert restored.records.save_answer(GivenAnswer(link, AT_ONCE, {CSAT: 4}, "Tak", "en")) == "saved"
    assert restored.submit(survey_id).answered.scores == {CSAT: 4}
    restored.assert_once(survey_id)


@pytest.mark.parametrize(("commands", "second_submits"), [(["mark-restored"], 0), ([], 1)])
def test_result_submitted_after_the_backup_is_reconciled(
    story: Story, backup: Backup, own_redis: RedisServer, dixa: Sandbox, commands: list[str], second_submits: int
) -> None:
    survey_id = story.begin()
    story.ask(survey_id)
    story.answer(survey_id, {CSAT: 5}, "Tak")
    backup.take()
    story.submit(survey_id)
    restore(backup, own_redis, *commands)
    restored = reconnected(own_redis, dixa)
    assert restored.load(survey_id).answer
    submitted = restored.submit(survey_id).answer
    assert submitted
    assert submitted.state is AnswerState.SUBMITTED
    assert len(dixa.results()) == 1
    assert len(dixa.report.double_submits) == second_submits, "without the command, Dixa must refuse the second submit"


@pytest.mark.parametrize(("commands", "second_offers"), [(["mark-restored"], 0), ([], 1)])
def test_offer_made_after_the_backup_is_adopted(
    story: Story, backup: Backup, own_redis: RedisServer, dixa: Sandbox, commands: list[str], second_offers: int
) -> None:
    survey_id = story.begin(BOTH)
    story.after("offer", lambda: dixa.throttles(call="offer", retry_after=1))
    story.offering.run(survey_id)
    assert story.load(survey_id).offer.state is OfferState.OFFERING
    assert [offer.rating for offer in story.load(survey_id).offers] == [CSAT]
    # Remove the trace of the failed call. With it the record would recognize its own offer without the command.
    story.records._redis.hdel(story.records._key(survey_id), "offer_before")
    backup.take()
    link = Link.to(story.ask(survey_id))
    restore(backup, own_redis, *commands)
    restored = reconnected(own_redis, dixa)
    asked = restored.ask(survey_id)
    assert asked.offer.state is OfferState.DELIVERED
    assert len(dixa.report.second_offers) == second_offers
    assert (asked.offers == link.offers) is (second_offers == 0)
    assert [each.direction for each in dixa.messages()].count("Outbound") == 1


def test_conversation_closed_after_the_restore_is_surveyed(
    story: Story, backup: Backup, own_redis: RedisServer, dixa: Sandbox
) -> None:
    story.begin()
    backup.take()
    restore(backup, own_redis, "mark-restored")
    restored = reconnected(own_redis, dixa)
    survey_id = restored.begin()
    assert not restored.ask(survey_id).reconcile_first
    restored.answer(survey_id, {CSAT: 1})
    restored.submit(survey_id)
    assert len(dixa.results(int(survey_id))) == 1
    restored.assert_no_doubles()


def test_retry_resumes_a_failed_offer_and_a_failed_answer(story: Story, own_redis: RedisServer, dixa: Sandbox) -> None:
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
