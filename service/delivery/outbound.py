"""Posts to the team's own receivers: one request each, with a timeout.

Errors and log lines contain neither the URL nor anything of the response: both may be secret.
"""

from collections.abc import Mapping
from importlib.metadata import version

import requests
from urllib3.exceptions import HTTPError

from config.failures import describe_failure
from service.delivery.concurrency import ConcurrencyLimit
from service.sessions import has_never_connected, new_session
from service.surveys.errors import ChannelDown, DeliveryRefused, DeliveryUnknown, NotDelivered, NotNow
from service.surveys.ports import Deadline

_MAX_CALLS = 2

_TRY_LATER = {
    requests.codes.request_timeout,
    requests.codes.too_many_requests,
    requests.codes.service_unavailable,
}


_ABOUT_SETTINGS = {
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
"""Statuses about the URL, the key or the proxy, not about the posted body. An operator can repair those."""


class Outbound:
    """Posts to one receiver."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.limit = ConcurrencyLimit("the receiver", _MAX_CALLS)
        self._session = new_session(f"afterword/{version('afterword')}")

    def reach(self, deadline: Deadline) -> None:
        """Connect to the receiver, and send it nothing that it could act on. Any response is a success.

        Raises ChannelDown.
        """
        try:
            self._session.head(self._url, timeout=deadline.remaining(), allow_redirects=False).close()
        except (requests.RequestException, HTTPError) as error:
            raise ChannelDown(f"the receiver: {describe_failure(error)}") from None

    def post(self, body: bytes, headers: Mapping[str, str], deadline: Deadline) -> None:
        """Post JSON. Succeeds on any 2xx.

        Raises NotNow, NotDelivered, DeliveryUnknown (it may have arrived) or DeliveryRefused. ChannelDown, a kind of
        NotDelivered, is about the receiver or our settings, not about this body.
        """
        left = deadline.remaining()
        if not left:
            raise NotNow("this claim's time is up")
        with self.limit.reserve():
            status = self._post(body, headers, left)
        _check(status)

    def _post(self, body: bytes, headers: Mapping[str, str], left: float) -> int:
        try:
            with self._session.post(
                self._url,
                data=body,
                headers={"Content-Type": "application/json", **headers},
                timeout=left,
                allow_redirects=False,
                stream=True,
            ) as response:
                return response.status_code
        except (requests.RequestException, HTTPError) as error:
            problem = f"the receiver: {describe_failure(error)}"
            is_certain = has_never_connected(error) or isinstance(error, requests.exceptions.InvalidURL)
            raise (ChannelDown if is_certain else DeliveryUnknown)(problem) from None


def _check(status: int) -> None:
    problem = f"the receiver returned {status}"
    if status in _TRY_LATER:
        raise NotDelivered(problem)
    if status in _ABOUT_SETTINGS:
        raise ChannelDown(problem)
    match status // 100:
        case 2:
            return
        case 3:  # A redirect means a wrong URL.
            raise ChannelDown(problem)
        case 4:
            raise DeliveryRefused(problem)
    raise DeliveryUnknown(problem)
