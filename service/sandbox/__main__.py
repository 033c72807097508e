"""Runs a sandbox in the foreground until SIGTERM or SIGINT: `python -m service.sandbox --help`."""

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Sequence
from signal import SIGINT, SIGTERM, signal
from threading import Event
from types import FrameType

from service.sandbox.server import Sandbox
from service.sandbox.settings import SandboxSettings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT."""
    ended = Event()

    def end(_: int, __: FrameType | None) -> None:
        ended.set()

    for number in (SIGTERM, SIGINT):
        signal(number, end)
    sandbox = Sandbox(settings_of(_parser().parse_args(arguments)))
    try:
        sandbox.start()
    except OSError as error:
        sys.stderr.write(f"The sandbox Dixa can't listen on {sandbox.url}: {error.strerror}\n")
        return 1
    sys.stdout.write(f"Sandbox Dixa: {sandbox.url} (API: {sandbox.api_url})\n")
    sys.stdout.flush()
    ended.wait()
    sandbox.stop()
    return 0


def settings_of(given: Namespace) -> SandboxSettings:
    """Convert the command line to settings. Missing options keep their defaults."""
    named = {name: value for name, value in vars(given).items() if value is not None}
    if tokens := named.pop("token", None):
        named["tokens"] = tuple(tokens)
    rate = named.get("rate")
    return SandboxSettings(**named | {"rate": rate or None} if rate is not None else named)


def _port(text: str) -> int:
    if text.isdigit() and int(text) < 2**16:
        return int(text)
    message = f"{text!r} is not a port"
    raise ArgumentTypeError(message)


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="python -m service.sandbox", description="A fake Dixa, to try and to test with.")
    parser.add_argument("--host", help="the address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=_port, default=8020, help="the port to listen on (8020; 0: a free one)")
    parser.add_argument("--target", help="where to send webhooks, such as http://127.0.0.1:8000/webhooks/dixa")
    parser.add_argument("--secret", help="the webhook subscription's secret, in hex (a random one)")
    parser.add_argument("--token", action="append", help="an API token to take; can be repeated (sandbox-token)")
    parser.add_argument("--rate", type=float, help="requests a second and token; 0: no limit (10)")
    parser.add_argument("--burst", type=int, help="requests of a token at once (4)")
    parser.add_argument("--listing-lag", type=float, help="seconds until a rating shows in the list (0)")
    parser.add_argument(
        "--message-reopens", action="store_true", default=None, help="a message to a closed conversation reopens it"
    )
    parser.add_argument(
        "--empty", dest="has_samples", action="store_false", default=True, help="begin without sample conversations"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
