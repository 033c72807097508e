"""A TCP proxy in front of a server such as Redis, like a load balancer. Its target can change."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread


class Front:
    """Listens on its own port and forwards both directions."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._open: list[socket.socket] = []
        self._forgotten: set[socket.socket] = set()
        Thread(target=self._accept, daemon=True).start()

    @property
    def open_connections(self) -> int:
        """Return the number of clients."""
        return len(self._open)

    def lead_to(self, port: int) -> None:
        """Connect new clients to another server, like a changed DNS record. Open connections are unchanged."""
        self._target = port

    def forget(self) -> None:
        """Drop all data of the open connections silently, like a NAT after its timeout."""
        self._forgotten.update(self._open)

    def close(self) -> None:
        """Close the listener and all connections."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for each in self._open[:]:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                near.close()
                continue
            self._open.append(near)
            Thread(target=self._serve, args=(near, far), daemon=True).start()

    def _serve(self, near: socket.socket, far: socket.socket) -> None:
        back = Thread(target=self._pass_on, args=(far, near, near), daemon=True)
        back.start()
        self._pass_on(near, far, near)
        back.join()
        self._open.remove(near)
        self._forgotten.discard(near)
        near.close()
        far.close()

    def _pass_on(self, here: socket.socket, there: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := here.recv(65536):
                if client not in self._forgotten:
                    there.sendall(data)
        with suppress(OSError):
            there.shutdown(socket.SHUT_RDWR)


@contextmanager
def front(port: int) -> Iterator[Front]:
    """Open a proxy in front of the server on this port."""
    opened = Front(port)
    yield opened
    opened.close()
