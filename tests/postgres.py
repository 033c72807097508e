"""A real PostgreSQL for tests: one server for the process, and a new database for each test."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import psycopg

from tests.polling import eventually
from tests.processes import free_port

_USER = "archive"


@cache
def find_binaries() -> Path | None:
    """Return the folder of PostgreSQL's programs, Debian's or those on the PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = debian[-1] if debian else shutil.which("initdb")
    return Path(found).parent if found else None


class PostgresServer:
    """A server on a port of its own, without durability: it keeps nothing after the tests."""

    def __init__(self, folder: Path, binaries: Path) -> None:
        self._data, self._binaries = folder / "data", binaries
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        # It refuses to run as root.
        owner = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        user, group = (owner.pw_uid, owner.pw_gid) if owner else (None, None)
        self._data.parent.chmod(0o755)
        self._data.mkdir()
        if owner:
            os.chown(self._data, owner.pw_uid, owner.pw_gid)
        make = ["initdb", "-U", _USER, "--auth=trust", "--no-sync", "-E", "UTF8"]
        subprocess.run(self._command(*make), check=True, stdout=subprocess.DEVNULL, cwd="/", user=user, group=group)
        options = {"fsync": "off", "unix_socket_directories": "", "listen_addresses": "127.0.0.1", "port": self.port}
        run = self._command("postgres", *(f"--{name}={value}" for name, value in options.items()))
        self._process = subprocess.Popen(run, stderr=subprocess.DEVNULL, cwd="/", user=user, group=group)
        eventually(self._is_up)

    def stop(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://{_USER}@127.0.0.1:{self.port}/{database}"

    def make_database(self) -> str:
        """Make a database. Return its URL."""
        name = f"test_{uuid4().hex}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def _command(self, program: str, *arguments: str) -> list[str]:
        return [str(self._binaries / program), "-D", str(self._data), *arguments]

    def _is_up(self) -> bool:
        try:
            psycopg.connect(self.url(), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def open_postgres() -> Iterator[PostgresServer | None]:
    """Run a server, if PostgreSQL is installed."""
    binaries = find_binaries()
    if binaries is None:
        yield None
        return
    with TemporaryDirectory(prefix="postgres-") as folder:
        server = PostgresServer(Path(folder), binaries)
        server.start()
        try:
            yield server
        finally:
            server.stop()
