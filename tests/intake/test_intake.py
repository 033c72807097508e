"""The terms of a link without a record."""

from pathlib import Path

import pytest

from service.surveys.definition import Survey
from service.surveys.links import Link
from service.surveys.model import Offer
from service.surveys.ratings import RatingType
from service.web.app import create_app
from service.web.services import Services
from tests.processes import RedisServer, settings_for


@pytest.mark.parametrize("name", ["chat", "mail"])
def test_link_without_a_record_has_the_terms_of_its_named_survey(
    redis_server: RedisServer, tmp_path: Path, name: str
) -> None:
    file = tmp_path / "surveys.toml"
    file.write_text('[[survey]]\nname = "chat"\nmatch.channels = ["Chat"]\n\n[[survey]]\nname = "mail"\n')
    app = create_app(settings_for(redis_server.url, SURVEYS_FILE=str(file)))
    core: Services = app.extensions["afterword"]
    assert core.intake.terms_of(Link("1", 1, name, (Offer(RatingType.NPS, "r"),)), None).name == name


def test_link_of_a_removed_survey_has_the_default_terms(redis_server: RedisServer) -> None:
    core: Services = create_app(settings_for(redis_server.url)).extensions["afterword"]
    link = Link("1", 1, "removed", (Offer(RatingType.NPS, "r"),))
    assert core.intake.terms_of(link, None) == Survey(ratings=(RatingType.NPS,))
