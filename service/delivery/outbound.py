"""Posts to the team's own receivers: one request, always with a timeout, and the errors of `service.surveys.ports`.

Addresses are secrets, and so is whatever a receiver says: neither is in an error or a log.
"""

from collections.abc import Mapping
from importlib.metadata import version

import requests
from urllib3.exceptions import HTTPError

from config.failures import describe_failure
from service.delivery.room import Room
from service.sessions import has_never_connected, new_session
from service.surveys.errors import ChannelDown, DeliveryRefused, DeliveryUnknown, NotDelivered, NotNow
from service.surveys.ports import Deadline

_AT_ONCE = 2

_NOT_DONE = {
    requests.codes.request_timeout,
    requests.codes.too_many_requests,
    requests.codes.service_unavailable,
}


_OURS_TO_MEND = {
    requests.codes.unauthorized,
    requests.codes.payment_required,
    requests.codes.forbidden,
    requests.codes.not_found,
    requests.codes.method_not_allowed,
    requests.codes.proxy_authentication_required,
    requests.codes.gone,
    requests.codes.unsupported_media_type,
    requests.codes.misdirected_request,
    requests.codes.upgrade_required,
}
"""About the address, the key or the proxy, and not about what is posted."""


class Outbound:
    """One receiver."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.room = Room("the receiver", _AT_ONCE)
        self._session = new_session(f"afterword/{version('afterword')}")

    def post(self, body: bytes, headers: Mapping[str, str], deadline: Deadline) -> None:
        """Post JSON; a 2xx is yes. Raises NotNow, NotDelivered, DeliveryUnknown (it may be there) or DeliveryRefused.

        A NotDelivered that is ChannelDown is about the receiver, or our settings, and not about what is posted.
        """
        left = deadline.remaining()
        if not left:
            raise NotNow("this claim's time is up")
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
            raise (ChannelDown if is_certain else DeliveryUnknown)(problem) from None


def _judge(status: int) -> None:
    problem = f"the receiver returned {status}"
    if status in _NOT_DONE:
        raise NotDelivered(problem)
    if status in _OURS_TO_MEND or 300 <= status < 400:  # noqa: PLR2004 - a redirect is a mistake in our settings
        raise ChannelDown(problem)
    if 400 <= status < 500:  # noqa: PLR2004 - HTTP's own classes
        raise DeliveryRefused(problem)
    if not 200 <= status < 300:  # noqa: PLR2004 - the same
        raise DeliveryUnknown(problem)
