"""A suspect answer has no follow-up until it is final. Then each action marks it as suspect."""

import json
from dataclasses import replace
from datetime import timedelta

from service.surveys.model import Record
from service.surveys.states import FollowUpState
from tests.journeys.robot_story import DAY, MINUTE, NOW, TERMS, RobotStory
from tests.receiver import Receiver


def follow_once(robot_story: RobotStory, survey_id: str) -> Record:
    robot_story.story.following.run(survey_id)
    return robot_story.story.load(survey_id)


def test_suspect_answer_sends_no_alert_at_once(robot_story: RobotStory, receiver: Receiver) -> None:
    survey_id = robot_story.ask()
    robot_story.answer_as_robot(survey_id, 1)
    robot_story.write_times(survey_id, follow_up_due=NOW)
    record = follow_once(robot_story, survey_id)
    assert record.follow_up
    assert record.follow_up.due_at
    assert record.answer
    assert record.answer.due_at
    assert abs(record.follow_up.due_at - record.answer.due_at) < MINUTE
    assert receiver.posts == []


def test_replaced_suspect_answer_has_no_follow_up(robot_story: RobotStory, receiver: Receiver) -> None:
    survey_id = robot_story.ask()
    robot_story.answer_as_robot(survey_id, 1)
    follow_once(robot_story, survey_id)
    robot_story.answer_as_customer(survey_id, 5)
    follow_once(robot_story, survey_id)
    robot_story.end_editable_time(survey_id)
    robot_story.story.submit(survey_id)
    robot_story.story.follow(survey_id)
    assert receiver.posts == []
    assert robot_story.story.dixa.notes() == []


def test_later_answer_of_the_customer_sends_an_alert_at_once(robot_story: RobotStory, receiver: Receiver) -> None:
    survey_id = robot_story.ask()
    robot_story.answer_as_robot(survey_id, 5)
    follow_once(robot_story, survey_id)
    robot_story.answer_as_customer(survey_id, 1)
    follow_once(robot_story, survey_id)
    (alert,) = receiver.of("/slack")
    assert "suspect" not in json.dumps(alert.body)


def test_final_suspect_answer_has_its_follow_up(robot_story: RobotStory, receiver: Receiver) -> None:
    survey_id = robot_story.ask()
    robot_story.answer_as_robot(survey_id, 1)
    robot_story.end_editable_time(survey_id)
    robot_story.story.submit(survey_id)
    robot_story.write_times(survey_id, answered_at=NOW - DAY)
    record = robot_story.story.follow(survey_id)
    assert record.follow_up
    assert record.follow_up.state is FollowUpState.FOLLOWED
    sentence = "This answer is suspect: a machine may have sent it."
    assert sentence in receiver.of("/slack")[0].body["text"]
    assert sentence in robot_story.story.dixa.notes(int(survey_id))[0].message
    assert receiver.of("/answer")[0].body["data"]["is_suspect"] is True


def test_webhook_with_an_answer_of_the_customer_is_not_suspect(robot_story: RobotStory, receiver: Receiver) -> None:
    survey_id = robot_story.ask(replace(TERMS, editable_for=timedelta()))
    robot_story.answer_as_customer(survey_id, 1)
    robot_story.story.submit(survey_id)
    robot_story.story.follow(survey_id)
    assert receiver.of("/answer")[0].body["data"]["is_suspect"] is False
