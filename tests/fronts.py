"""A TCP proxy in front of a server such as Redis, like a load balancer. Its target can change, and it can be cut."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import Literal

Direction = Literal["requests", "responses"]
BOTH: tuple[Direction, ...] = ("requests", "responses")


class Front:
    """Listens on its own port and forwards both directions."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._open: list[socket.socket] = []
        self._forgotten: set[socket.socket] = set()
        self._passing: dict[Direction, Event] = {each: Event() for each in BOTH}
        self._drops = False
        self.heal()
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

    @contextmanager
    def cut(self, *directions: Direction, drops: bool) -> Iterator[None]:
        """Let no data pass in these directions. The kernel still accepts connections.

        Afterwards the data arrives, as TCP would send it again; or with `drops` never, nor any later data of a
        connection that has lost some.
        """
        self._drops = drops
        for each in directions:
            self._passing[each].clear()
        try:
            yield
        finally:
            self.heal()

    def heal(self) -> None:
        """End a cut."""
        for each in self._passing.values():
            each.set()

    def close(self) -> None:
        """Close the listener and all connections."""
        self.heal()
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
        back = Thread(target=self._pass_on, args=(far, near, near, "responses"), daemon=True)
        back.start()
        self._pass_on(near, far, near, "requests")
        back.join()
        self._open.remove(near)
        self._forgotten.discard(near)
        near.close()
        far.close()

    def _pass_on(self, here: socket.socket, there: socket.socket, client: socket.socket, direction: Direction) -> None:
        passing = self._passing[direction]
        with suppress(OSError):
            while data := here.recv(65536):
                if self._drops and not passing.is_set():
                    self._forgotten.add(client)
                passing.wait()
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
