"""Redirects a short link, `/s/<code>` or `/s/<code>/stop`, to the signed one. Nothing is written."""

from flask import Response, redirect, request, url_for
from flask.typing import ResponseReturnValue

from service.records.redis import RecordsUnavailable
from service.records.short_links import is_code
from service.web import pages, survey
from service.web.language import choose_language, requested_language
from service.web.mangled_links import query_value
from service.web.services import services

_RETRY_AFTER_SECONDS = 5


def redirect_short_link() -> ResponseReturnValue | None:
    """Redirect a short link to the same page of the signed link. Ignore other requests.

    Meant for `before_request`. Only Redis has the codes, so while it is down the response is 503 and not 404.
    """
    code = (request.view_args or {}).get("token", "")
    if request.method not in {"GET", "HEAD"} or request.endpoint is None or not is_code(code):
        return None
    try:
        token = services().short_links.find(code)
    except RecordsUnavailable as error:
        services().rejections.note("short_link.unavailable", str(error))
        return _unavailable()
    if token is None:
        return survey.link_not_found()
    return redirect(url_for(request.endpoint, token=token, r=query_value("r") or None, lang=requested_language()), 302)


def _unavailable() -> Response:
    settings = services().settings
    spoken = choose_language(requested_language(), "", settings.default_language)
    response = pages.unavailable_page(spoken, settings.brand_name, settings.support_url, settings.theme)
    response.headers["Retry-After"] = str(_RETRY_AFTER_SECONDS)
    return response
