"""The peers as servers under load. npm installs them into build/peers, with the Node that they need."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path

import requests

from tests.bench.costs import wait_until_settled
from tests.bench.servers import CommandServer
from tests.polling import eventually
from tests.processes import ROOT

_HERE = Path(__file__).parent
_BUILD = ROOT / "build" / "peers"


class Peer(CommandServer):
    """A server of npm. `packages` are installed once; `rebuilt` are those with compiled code."""

    packages: Sequence[str]
    rebuilt: Sequence[str] = ()

    @classmethod
    def install(cls) -> str:
        """Install it. Return why that is impossible, or an empty text."""
        if not shutil.which("npm"):
            return "npm is not on the PATH"
        folder = cls._home()
        if (folder / "node_modules").exists():
            return ""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text("{}")
        for command in (["install", "--ignore-scripts", *cls.packages], ["rebuild", "node", *cls.rebuilt]):
            quiet = ["--no-audit", "--no-fund", "--loglevel=error"]
            done = subprocess.run(["npm", *command, *quiet], cwd=folder, capture_output=True, text=True, check=False)
            if done.returncode:
                shutil.rmtree(folder)
                return done.stderr.strip()
        return ""

    @classmethod
    def _home(cls) -> Path:
        return _BUILD / cls.__name__

    def prepare(self) -> None:
        """Write its files."""

    def start(self, *_programs: str) -> None:
        self._environ["PATH"] = f"{self._home() / 'node_modules' / '.bin'}:{os.environ['PATH']}"
        self._environ["DIXA_API_URL"] = "http://127.0.0.1:9"
        self.prepare()
        self.run(self.command.format(port=self.port))
        eventually(self._has_webhook)
        wait_until_settled(*self.pids)

    def _has_webhook(self) -> bool:
        """Return whether the flow is there: it refuses a webhook without a signature."""
        try:
            response = requests.post(f"http://127.0.0.1:{self.port}/webhooks/dixa", json={}, timeout=5)
        except requests.RequestException:
            return False
        return response.status_code != HTTPStatus.NOT_FOUND


class NodeRed(Peer):
    """Node-RED without its editor."""

    name = "Node-RED 5"
    command = "node-red --port {port} --userDir ."
    packages = ("node@24", "node-red@5")

    def prepare(self) -> None:
        shutil.copy(_HERE / "node_red.settings.js", self._folder / "settings.js")
        shutil.copy(_HERE / "node_red.flows.json", self._folder / "flows.json")


class N8n(Peer):
    """n8n, tuned: it saves no finished executions."""

    name = "n8n 2"
    command = "n8n start"
    packages = ("node@24", "n8n@2.40.7")
    rebuilt = ("sqlite3",)

    def prepare(self) -> None:
        self._environ |= {
            "N8N_USER_FOLDER": str(self._folder),
            "N8N_PORT": str(self.port),
            "N8N_LISTEN_ADDRESS": "127.0.0.1",
            "N8N_ENDPOINT_WEBHOOK": "webhooks",
            "N8N_BLOCK_ENV_ACCESS_IN_NODE": "false",
            "N8N_LOG_LEVEL": "error",
            "NODE_FUNCTION_ALLOW_BUILTIN": "crypto",
            **dict.fromkeys(("EXECUTIONS_DATA_SAVE_ON_SUCCESS", "EXECUTIONS_DATA_SAVE_ON_ERROR"), "none"),
            **dict.fromkeys(
                ("N8N_DIAGNOSTICS_ENABLED", "N8N_VERSION_NOTIFICATIONS_ENABLED", "N8N_TEMPLATES_ENABLED"), "false"
            ),
        }
        workflow = f"--input={_HERE / 'n8n.workflow.json'}"
        for command in (["import:workflow", workflow], ["publish:workflow", "--id=surveys"]):
            subprocess.run(
                ["n8n", *command], cwd=self._folder, env=self._environ, stdout=subprocess.DEVNULL, check=True
            )


PEERS: Sequence[type[Peer]] = (NodeRed, N8n)
