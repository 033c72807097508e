"""Runs surveys in one process: real records, the real client, a sandbox Dixa, and short timings."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

import redis

from config.settings import Timings
from service.delivery.message import MessageDelivery
from service.dixa.client import DixaClient
from service.dixa.events import load_event
from service.dixa.outage import Outage
from service.dixa.pace import SharedPace
from service.dixa.token_check import TokenCheck
from service.intake.intake import Intake
from service.intake.spool import Spool
from service.journeys.answer import AnswerJourney
from service.journeys.delivery import LinkSender
from service.journeys.follow_up import FollowUpJourney
from service.journeys.offer import OfferJourney
from service.journeys.runner import JourneyRunner
from service.records.answer_transitions import GivenAnswer
from service.records.channels import Channels
from service.records.opt_outs import HashedOptOuts
from service.records.records import Records
from service.records.redis import Breaker
from service.rules.identity import Identities
from service.rules.suppression import SuppressionPolicy
from service.sandbox.dixa.webhooks import closed_event
from service.sandbox.server import Sandbox
from service.sessions import new_session
from service.surveys.definition import Survey
from service.surveys.errors import OutcomeUnknown
from service.surveys.links import Link, Links
from service.surveys.model import Change, Close, Record
from service.surveys.ports import Action, Deadline, Delivery
from service.surveys.ratings import RatingType
from service.surveys.retention import Retention
from service.surveys.states import AnswerState, ChangeKind, FollowUpState, OfferState, SurveyEvent
from tests.moments import moment
from tests.polling import eventually
from tests.processes import SECRET_KEY

QUICK = Timings(
    # A step takes milliseconds. Its budget is larger, since a busy machine may stop for a second or two.
    lease=timedelta(seconds=60),
    step_budget=timedelta(seconds=20),
    reconcile_after=timedelta(milliseconds=150),
    dixa_lag=timedelta(),
    backoff_min=timedelta(milliseconds=20),
    backoff_max=timedelta(milliseconds=100),
    recovery_wait=timedelta(milliseconds=1),
)
BRIEF_CLAIMS = replace(QUICK, lease=timedelta(seconds=4.5), step_budget=timedelta(seconds=2))
"""For tests that wait for the end of a claim, or of a call without a response."""
DAY = timedelta(days=1)
AT_ONCE = Survey(delay=timedelta(), editable_for=timedelta())
CSAT, NPS, THUMBS = RatingType

OFFER_OVER = {OfferState.DELIVERED, OfferState.SKIPPED, OfferState.CANCELLED, OfferState.FAILED}
ANSWER_OVER = {AnswerState.SUBMITTED, AnswerState.FAILED}


PROBE_EVERY = timedelta(milliseconds=100)


def open_client(
    dixa: Sandbox,
    client: redis.Redis,
    prefix: str,
    on_recovery: Callable[[Collection[int]], None] = lambda _: None,
    **pace: Any,
) -> DixaClient:
    """Return a client of this sandbox, without a rate limit unless `rate`, `burst` and `wait` are given."""
    given: dict[str, Any] = {"rate": 1000, "burst": 100, "wait": Event().wait} | pace
    shared = SharedPace(client, dixa.settings.tokens, prefix=prefix, **given)
    pause = timedelta(milliseconds=20)
    check = TokenCheck(client, pause, prefix=prefix)
    outage = Outage(client, probe_interval=PROBE_EVERY, on_recovery=on_recovery, prefix=prefix)
    return DixaClient(
        new_session("afterword/test"), dixa.api_url, shared, check, outage=outage, token_retry_after=pause
    )


def without_redis(records: Records) -> Records:
    """Return the same records behind a breaker that never queries Redis."""
    breaker = Breaker()
    breaker.is_open = True
    return Records(records._redis, lease=records._lease, keep=records._keep, breaker=breaker)


class LosesResponses:
    """Loses the response to every message."""

    name = "message"
    sends_reminders = True

    def can_reach(self, record: Record) -> bool:
        return True

    def reconcile(self, record: Record, deadline: Deadline) -> bool | None:
        return False

    def deliver(self, record: Record, link: str, deadline: Deadline) -> None:
        raise OutcomeUnknown("lost")


class BoundlessPace:
    """Always has free slots."""

    def count_free(self, *within: timedelta) -> list[int]:
        return [1_000_000 for _ in within]


class Story:
    """The journeys of any number of surveys. The test runs them until they end."""

    def __init__(
        self,
        client: redis.Redis,
        prefix: str,
        dixa: Sandbox,
        *,
        timings: Timings = QUICK,
        deliveries: Sequence[Delivery] | None = None,
        actions: Sequence[Action] = (),
        events: Collection[SurveyEvent] = (),
        **pace: Any,
    ) -> None:
        self.dixa = dixa
        self.records = Records(
            client,
            lease=timings.lease,
            keep=timings.record_retention,
            retention=Retention(timings.offer_max_age, 30 * DAY, 90 * DAY, 90 * DAY),
            events=events,
            prefix=prefix,
        )
        self.opt_outs = HashedOptOuts(client, prefix=prefix)
        self.calls = calls = open_client(dixa, client, prefix, self.records.end_backoff, **pace)
        given = [MessageDelivery(calls)] if deliveries is None else deliveries
        links = Links([SECRET_KEY], "https://survey.example")
        suppression = SuppressionPolicy(self.opt_outs, Identities([SECRET_KEY]), timedelta(days=30))
        self.channels = Channels.beside(self.records)
        self.channels.pause = timedelta(milliseconds=100)
        self.deliveries = {each.name: each for each in given}
        offer = OfferJourney(LinkSender(self.records, links, self.deliveries, suppression, self.channels))
        follow_up = FollowUpJourney(self.records, actions=actions, channels=self.channels)
        self.actions = follow_up._actions
        self.offering, self.answering, self.following = (
            JourneyRunner(journey, self.records, calls, timings)
            for journey in (offer, AnswerJourney(self.records), follow_up)
        )

    def begin(self, terms: Survey = AT_ONCE, *, closed_at: datetime | None = None, **facts: Any) -> str:
        """Close a new conversation, accept it, and return the survey's id."""
        number = self.dixa.make_conversation(**facts)
        self.dixa.close(number)
        found = self.dixa.conversation(number)
        close = Close(
            conversation_id=number,
            closed_at=closed_at or moment(),
            channel=found.channel,
            direction=found.direction,
            requester_id=found.requester.id,
            agent_id=found.agent.id if found.agent else None,
            email=found.requester.email if "email" in terms.deliver else None,
        )
        self.records.accept(close, [terms])
        return str(number)

    def intake(self, *surveys: Survey, spool: Spool | None = None) -> Intake:
        """Return an intake with these surveys."""
        return Intake(self.records, surveys, spool, Identities([SECRET_KEY]))

    def close(self, number: int, *surveys: Survey, **facts: Any) -> str:
        """Close a conversation, take its webhook with the given facts changed, and return the latest survey's id."""
        self.dixa.close(number)
        found, organization = self.dixa.conversation(number), self.dixa.state.organization
        body = json.dumps(closed_event(found, organization, at=moment())).encode()
        close = load_event(body, datetime.now(UTC)).close
        assert close
        self.intake(*surveys).take_close(replace(close, **facts))
        return self.records.list_rounds(number)[0]

    def take_change(self, survey_id: str, kind: ChangeKind, *, at: datetime | None = None) -> bool:
        """Take the webhook of a change, and return whether it had an effect."""
        number = int(survey_id.partition("-")[0])
        return self.intake().take_change(Change(number, kind, at or moment()))

    def ask(self, survey_id: str) -> Record:
        """Run the offer journey until it ends."""
        return self.run_until(self.offering, survey_id, lambda record: record.offer.state in OFFER_OVER)

    def answer(
        self,
        survey_id: str,
        scores: Mapping[RatingType, int],
        comment: str = "",
        *,
        answered_at: datetime | None = None,
    ) -> str:
        """Answer as a customer with the link, and return the outcome."""
        record = self.load(survey_id)
        terms = record.terms or AT_ONCE
        answer = GivenAnswer(Link.to(record), terms, scores, comment, "en")
        return self.records.save_answer(answer, answered_at)

    def submit(self, survey_id: str) -> Record:
        """Run the answer journey until it ends."""
        return self.run_until(
            self.answering, survey_id, lambda record: record.answer is not None and record.answer.state in ANSWER_OVER
        )

    def follow(self, survey_id: str) -> Record:
        """Run the follow-up journey until it ends."""
        return self.run_until(
            self.following,
            survey_id,
            lambda record: record.follow_up is not None and record.follow_up.state is not FollowUpState.FOLLOWING,
        )

    def complete(self, survey_id: str, scores: Mapping[RatingType, int], comment: str = "") -> Record:
        """Run the whole survey: offer, answer, submit."""
        self.ask(survey_id)
        self.answer(survey_id, scores, comment)
        return self.submit(survey_id)

    def run_until(self, runner: JourneyRunner, survey_id: str, is_over: Callable[[Record], bool]) -> Record:
        """Run a journey until its record meets the condition."""

        def step() -> Record | None:
            runner.run(survey_id)
            record = self.load(survey_id)
            return record if is_over(record) else None

        found = eventually(step)
        assert found is not None
        return found

    def load(self, survey_id: str) -> Record:
        """Return the current record."""
        found = self.records.load(survey_id)
        assert found is not None
        return found

    def after(self, call: str, act: Callable[[], object]) -> None:
        """Call `act` right after the next exchange of this call, before the client receives the response."""
        done = Event()

        def watch(exchange: Any) -> None:
            if exchange.call == call and not done.is_set():
                done.set()
                act()

        self.dixa.on_exchange.append(watch)

    def assert_once(self, survey_id: str) -> None:
        """Assert one offer, one message and one result, and no duplicates in Dixa."""
        number = int(survey_id)
        assert len(self.dixa.offers(number)) == 1
        assert len(self.dixa.results(number)) == 1
        assert [each.external_id for each in self.dixa.messages(number)] == [f"afterword-{survey_id}"]
        self.assert_no_doubles()

    def assert_no_doubles(self) -> None:
        """Assert that the sandbox saw no duplicates."""
        report = self.dixa.report
        assert (report.second_offers, report.double_submits, report.duplicate_messages) == ([], [], [])
