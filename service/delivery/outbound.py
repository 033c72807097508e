"""Posts to the team's own receivers: one request, always with a timeout, and the errors of `service.surveys.ports`.

Addresses are secrets, and so is whatever a receiver says: neither is in an error or a log.
"""

from collections.abc import Mapping
from importlib.metadata import version

import requests
from urllib3.exceptions import HTTPError

from service.delivery.room import Room
from service.sessions import has_never_connected, new_session
from service.surveys.failures import describe_failure
from service.surveys.ports import Deadline, DeliveryRefused, DixaUnknown, NoSlot, NotDelivered

_AT_ONCE = 2

_NOT_DONE = {
    requests.codes.request_timeout,
    requests.codes.too_many_requests,
    requests.codes.service_unavailable,
}


class Outbound:
    """One receiver."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.room = Room("the receiver", _AT_ONCE)
        self._session = new_session(f"afterword/{version('afterword')}")

    def post(self, body: bytes, headers: Mapping[str, str], deadline: Deadline) -> None:
        """Post JSON; a 2xx is yes. Raises NoSlot, NotDelivered, DixaUnknown (it may be there) or DeliveryRefused."""
        left = deadline.remaining()
        if not left:
            raise NoSlot("this claim's time is up")
        with self.room.taken():
            status = self._post(body, headers, left)
        _judge(status)

    def _post(self, body: bytes, headers: Mapping[str, str], left: float) -> int:
        try:
            with self._session.post(
                self._url,
                data=body,
                headers={"Content-Type": "application/json", **headers},
                timeout=left,
                allow_redirects=False,
                stream=True,
            ) as answer:
                return answer.status_code
        except (requests.RequestException, HTTPError) as error:
            problem = f"the receiver: {describe_failure(error)}"
            is_certain = has_never_connected(error) or isinstance(error, requests.exceptions.InvalidURL)
            raise (NotDelivered if is_certain else DixaUnknown)(problem) from None


def _judge(status: int) -> None:
    problem = f"the receiver answered {status}"
    if status in _NOT_DONE:
        raise NotDelivered(problem)
    if 400 <= status < 500:  # noqa: PLR2004 - HTTP's own classes
        raise DeliveryRefused(problem)
    if not 200 <= status < 300:  # noqa: PLR2004 - the same
        # A redirect is a mistake in our settings, which somebody will mend.
        raise (NotDelivered if status < 400 else DixaUnknown)(problem)  # noqa: PLR2004 - the same
