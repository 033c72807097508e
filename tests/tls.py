"""A TLS proxy in front of a server without TLS, such as the Redis of the tests."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread


@contextmanager
def tls_front(context: ssl.SSLContext, port: int) -> Iterator[int]:
    """Listen with TLS, yield that port, and forward to the server on `port`."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        Thread(target=_accept, args=(listening, context, port), daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


def _accept(listening: socket.socket, context: ssl.SSLContext, port: int) -> None:
    while True:
        try:
            plain, _ = listening.accept()
        except OSError:
            return
        Thread(target=_serve, args=(plain, context, port), daemon=True).start()


def _serve(plain: socket.socket, context: ssl.SSLContext, port: int) -> None:
    try:
        near = context.wrap_socket(plain, server_side=True)
    except OSError:
        plain.close()
        return
    far = socket.create_connection(("127.0.0.1", port))
    back = Thread(target=_pass_on, args=(far, near), daemon=True)
    back.start()
    _pass_on(near, far)
    back.join()
    near.close()
    far.close()


def _pass_on(here: socket.socket, there: socket.socket) -> None:
    try:
        while data := here.recv(65536):
            there.sendall(data)
        there.shutdown(socket.SHUT_RDWR)
    except OSError:
        here.close()
