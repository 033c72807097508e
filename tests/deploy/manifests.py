"""The files of deploy/, parsed."""

import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any, cast

import yaml
from honcho.environ import parse_procfile

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
UNITS = {each.stem.removeprefix("afterword-"): each for each in DEPLOY.glob("systemd/*.service")}
KUBERNETES = sorted(each for each in DEPLOY.glob("kubernetes/*.yaml") if each.name != "kustomization.yaml")


@cache
def procfile() -> dict[str, list[str]]:
    """Return the words of each process's command."""
    commands = parse_procfile((ROOT / "Procfile").read_text(encoding="utf-8")).processes
    return {name: shlex.split(command) for name, command in commands.items()}


@cache
def services() -> dict[str, Any]:
    """Return the services of compose.yaml."""
    return cast("dict[str, Any]", load(DEPLOY / "compose.yaml")[0]["services"])


@cache
def pods() -> dict[str, Any]:
    """Return the pod of each Kubernetes workload, by the name of its container."""
    documents = (each for file in KUBERNETES for each in load(file))
    found = (each["spec"]["template"]["spec"] for each in documents if "template" in each.get("spec", {}))
    return {each["containers"][0]["name"]: each for each in found}


def load(file: Path) -> list[Any]:
    """Return the documents of a YAML file."""
    return list(yaml.safe_load_all(file.read_text(encoding="utf-8")))


def instructions(name: str) -> list[str]:
    """Return the arguments of each instruction of the Dockerfile with this name."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", "")
    return re.findall(rf"^ *{name} (.+)$", text, re.MULTILINE)


def option(unit: Path, name: str) -> str:
    """Return the value of an option of a systemd unit."""
    (found,) = re.findall(rf"^{name}=(.*)$", unit.read_text(encoding="utf-8"), re.MULTILINE)
    return cast("str", found)
