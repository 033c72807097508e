"""Builds and wires the web's Flask app. Each group of views has a module of its own."""

import logging
from contextlib import suppress

from flask import Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, InternalServerError, NotFound
from werkzeug.middleware.proxy_fix import ProxyFix

from config.fingerprint import take_fingerprint
from config.settings import Settings
from service.dixa.outage import Outage
from service.dixa.pace import open_pace
from service.intake.intake import Intake
from service.intake.recovery import Recovery
from service.intake.spool import Spool
from service.records.auto_pipelining import AutoPipeliningRedis
from service.records.channels import Channels
from service.records.failure_guard import FailureGuard
from service.records.link_guard import LinkGuard
from service.records.opt_outs import HashedOptOuts
from service.records.processes import Processes
from service.records.records import Records
from service.records.redis import Breaker, connect
from service.records.redis_pool import WEB_CONNECTIONS
from service.records.short_links import ShortLinks
from service.rules.identity import Identities
from service.surveys.links import Links
from service.web import description, dixa_card, health, opt_out, short_links, statements, survey, webhooks
from service.web.host_check import host_check
from service.web.last_webhook import LastWebhook
from service.web.log_redaction import redact_tokens_in
from service.web.mangled_links import MangledLinks, redirect_mangled_link
from service.web.readiness import Readiness
from service.web.rejections import Rejections
from service.web.security_headers import add_security_headers
from service.web.services import WINDOW, Services

_WAIT_SECONDS = 2.0
"""How long a request waits for a Redis connection from the pool.

If a NAT has dropped the pool's connections, their users notice after a timeout of one second. This must be longer.
"""


def create_app(settings: Settings) -> Flask:
    """Build the app. It connects to nothing yet."""
    app = Flask(__name__, static_folder=None)
    app.config["MAX_FORM_PARTS"] = 10
    # Werkzeug would redirect "/s//<token>", and to http:// behind a proxy. MangledLinks merges slashes without it.
    app.url_map.merge_slashes = False
    app.logger.setLevel(logging.INFO)
    redact_tokens_in(app.logger.name)
    app.extensions["afterword"] = core = _wire(settings)
    app.extensions["afterword.readiness"] = Readiness(core)
    app.wsgi_app = MangledLinks(app.wsgi_app, core.links)  # type: ignore[method-assign]
    if settings.proxy_hops:
        hops = settings.proxy_hops
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    for blueprint in (health.bp, webhooks.bp, survey.bp, opt_out.bp, statements.bp, description.bp):
        app.register_blueprint(blueprint)
    if settings.metrics_token:
        from service.web import metrics  # noqa: PLC0415 - 2 MB, only for those who monitor with Prometheus

        app.register_blueprint(metrics.bp)
    if settings.api_read_token:
        from service.web import api  # noqa: PLC0415 - SQLAlchemy is large

        app.register_blueprint(api.bp)
    if settings.dixa_card_token:
        app.register_blueprint(dixa_card.bp)
    if settings.has_window:
        # A login costs memory, and only those who have set it up.
        from service.web.operator.window import add_window  # noqa: PLC0415

        add_window(app, core)
    _add_hooks(app, settings)
    _add_error_handlers(app)
    return app


def _wire(settings: Settings) -> Services:
    timings, breaker, rejections, last_webhook = settings.timings, Breaker(), Rejections(), LastWebhook()
    client = connect(
        settings.redis_url,
        connections=WEB_CONNECTIONS,
        wait_seconds=_WAIT_SECONDS,
        replicas=settings.redis_replicas,
        client_class=AutoPipeliningRedis,
    )
    records = Records(
        client,
        lease=timings.lease,
        keep=timings.record_retention,
        retention=settings.retention,
        is_archived=settings.archive_url is not None,
        events=settings.sent_events,
        breaker=breaker,
    )
    spool = Spool(settings.spool_dir, max_bytes=settings.spool_max_bytes) if settings.spool_dir else None
    identities = Identities(settings.secret_keys)
    intake = Intake(records, settings.surveys, spool, identities, timings.recovery_wait, settings.own_addresses)
    return Services(
        settings=settings,
        records=records,
        intake=intake,
        identities=identities,
        links=Links(settings.secret_keys, settings.public_url),
        short_links=ShortLinks(client, settings.public_url, breaker=breaker),
        link_guard=LinkGuard(client, breaker=breaker),
        failure_guard=FailureGuard(client, breaker=breaker, secret_key=settings.secret_keys[0]),
        opt_outs=HashedOptOuts(client, breaker=breaker),
        spool=spool,
        recovery=Recovery(records, breaker, spool, intake),
        pace=open_pace(settings, client),
        outage=Outage(client),
        channels=Channels.beside(records),
        processes=Processes(
            client,
            take_fingerprint(settings),
            suspicions=rejections.suspicions,
            webhook_at=last_webhook.at,
            surveys_file=settings.surveys_file.text,
        ),
        rejections=rejections,
        last_webhook=last_webhook,
    )


def _add_hooks(app: Flask, settings: Settings) -> None:
    """Add the hooks of every request."""
    refuse_other_hosts = host_check(settings.public_url)

    @app.before_request
    def check() -> ResponseReturnValue | None:
        blueprint = request.blueprint
        # Load balancers and Prometheus ask by address. The window may have a host of its own.
        if blueprint not in {health.bp.name, "metrics", WINDOW}:
            refuse_other_hosts(request.environ.get("HTTP_HOST", ""))
        if blueprint in {survey.bp.name, opt_out.bp.name}:
            return short_links.redirect_short_link() or redirect_mangled_link()
        return None

    @app.after_request
    def add_headers(response: Response) -> Response:
        return add_security_headers(response, public_url=settings.public_url)


def _add_error_handlers(app: Flask) -> None:
    """Respond to errors with a page, JSON for webhooks, or plain text."""

    @app.errorhandler(NotFound)
    def not_found(_error: NotFound) -> Response:
        return survey.not_found()

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> ResponseReturnValue:
        headers = dict(error.get_headers()) | {"Content-Type": "text/plain; charset=utf-8"}
        if request.path.startswith("/webhooks/"):
            return jsonify(status="rejected", problem=error.description), error.code or 400
        return Response(f"{error.name}: {error.description}\n", error.code, headers)

    @app.errorhandler(InternalServerError)
    def failed(_error: InternalServerError) -> Response:
        if request.endpoint == "survey.send":
            # A second error is not logged: the first one is, and it is the cause.
            with suppress(Exception):
                return survey.send_failed(**(request.view_args or {}))
        return Response("Something went wrong on our side. Please try again.\n", 500, content_type="text/plain")
