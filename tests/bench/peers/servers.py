"""Node-RED as a server under load. npm installs it into build/peers, with the Node that it needs."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.bench.servers import CommandServer
from tests.processes import ROOT

_HERE = Path(__file__).parent
FOLDER = ROOT / "build" / "peers"
_PACKAGES = ("node@24", "node-red@5")


def install() -> str:
    """Install the servers. Return why that is impossible, or an empty text."""
    if not shutil.which("npm"):
        return "npm is not on the PATH"
    FOLDER.mkdir(parents=True, exist_ok=True)
    command = ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error", *_PACKAGES]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
    return done.stderr.strip() if done.returncode else ""


class NodeRed(CommandServer):
    """Node-RED with a flow."""

    name = "Node-RED 5"
    command = "node-red --port {port} --userDir ."

    def start(self) -> None:
        self._environ["PATH"] = f"{FOLDER / 'node_modules' / '.bin'}:{os.environ['PATH']}"
        shutil.copy(_HERE / "node_red.settings.js", self._folder / "settings.js")
        shutil.copy(_HERE / "node_red.flows.json", self._folder / "flows.json")
        super().start()
