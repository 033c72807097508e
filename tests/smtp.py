"""A real SMTP server for the tests. It refuses, delays or closes connections on request."""

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from config.endpoints import SmtpServer, Tls

USER, PASSWORD = "afterword", "a pass/word: of the tests"


class Post:
    """The e-mails and commands received by a server, and its behaviour.

    `replies` replaces its replies, by command: `MAIL`, `RCPT`, `DATA` (before the text) or `dot` (after the text). At
    the commands in `drops` it closes the connection, at those in `hangs` it is silent until they are removed, at those
    in `drips` it sends a reply without an end. `greets` delays the greeting; after a reply to `greeting` it closes the
    connection. `refuses` has the replies to single recipients.
    """

    def __init__(self) -> None:
        self.mails: list[bytes] = []
        self.envelopes: list[tuple[str, list[str]]] = []
        self.commands: list[str] = []
        self.logins: list[bool] = []
        self.replies: dict[str, str] = {}
        self.refuses: dict[str, str] = {}
        self.drops: set[str] = set()
        self.hangs: set[str] = set()
        self.drips: set[str] = set()
        self.keeps_what_it_drops = True
        self.greets = threading.Event()
        self.greets.set()

    async def handle_MAIL(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:  # noqa: N802
        envelope.mail_from = address
        return await self._behave("MAIL", server) or "250 OK"

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:  # noqa: N802
        reply = await self._behave("RCPT", server) or self.refuses.get(address)
        if reply is None or reply.startswith("2"):
            envelope.rcpt_tos.append(address)
        return reply or "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        reply = self.replies.get("dot")
        if reply is None and self.keeps_what_it_drops:
            self.mails.append(envelope.original_content or b"")
            self.envelopes.append((envelope.mail_from or "", list(envelope.rcpt_tos)))
            self.logins.append(bool(session.authenticated))
        return await self._behave("dot", server) or "250 OK"

    async def _behave(self, name: str, server: SMTP) -> str | None:
        self.commands.append(name)
        for _ in range(600):
            if name not in self.hangs:
                break
            await asyncio.sleep(0.05)
        if name in self.drips:
            for _ in range(300):
                _transport(server).write(b"2")
                await asyncio.sleep(0.05)
        if name in self.drops:
            _transport(server).abort()
            await asyncio.sleep(0.2)
        return self.replies.get(name)


def _transport(server: SMTP) -> asyncio.Transport:
    assert isinstance(server.transport, asyncio.Transport)
    return server.transport


class _Smtp(SMTP):
    """Adds hooks before the greeting and before the text, which aiosmtpd lacks."""

    async def _handle_client(self) -> None:
        post: Post = self.event_handler
        if not post.greets.is_set():
            post.commands.append("connect")
            try:
                await asyncio.to_thread(post.greets.wait)
            except asyncio.CancelledError:
                _transport(self).abort()
                raise
        if greeting := post.replies.get("greeting"):
            await self.push(greeting)
            _transport(self).close()
        else:
            await super()._handle_client()

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        post: Post = self.event_handler
        reply = await post._behave("DATA", self)
        if reply is None:
            await super().smtp_DATA(arg)
        elif self.transport is not None:
            await self.push(reply)


@contextmanager
def post_office(
    tls: Tls = Tls.NONE, context: ssl.SSLContext | None = None, **options: Any
) -> Iterator[tuple[Post, SmtpServer]]:
    """Run a server, and yield its behaviour and its address. It needs a `context` for TLS."""
    post = Post()
    loop = asyncio.new_event_loop()

    def session() -> SMTP:
        starttls = context if tls is Tls.STARTTLS else None
        return _Smtp(
            post, hostname="mail.test", tls_context=starttls, require_starttls=bool(starttls), loop=loop, **options
        )

    wraps = context if tls is Tls.IMPLICIT else None
    listening = loop.run_until_complete(loop.create_server(session, "127.0.0.1", 0, ssl=wraps))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield post, SmtpServer("localhost", listening.sockets[0].getsockname()[1], tls)
    finally:
        post.greets.set()
        asyncio.run_coroutine_threadsafe(_close(listening), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _close(listening: asyncio.Server) -> None:
    # Python leaves a socket open if its server closes between two steps of accepting it (gh-109564). Finish them first.
    for _ in range(5):
        await asyncio.sleep(0)
    listening.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def certificates() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Make a certificate for localhost. Return the server's context, and a client's that trusts it."""
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(server)
    authority.configure_trust(client)
    return server, client


def check_password(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    """Accept `USER` with `PASSWORD`."""
    return authenticator_for(USER, PASSWORD)(server, session, envelope, mechanism, data)


def authenticator_for(user: str, password: str) -> Callable[..., AuthResult]:
    """Return an authenticator that accepts this user, in UTF-8."""

    def authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        is_right = isinstance(data, LoginPassword) and (data.login, data.password) == (user.encode(), password.encode())
        return AuthResult(success=is_right, handled=False)

    return authenticate
