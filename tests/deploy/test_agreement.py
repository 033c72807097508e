"""Image, compose file, units and manifests agree with the Procfile, the settings, and what we demand of a Redis."""

import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import redis
from packaging.specifiers import SpecifierSet

from config.environment import rows_of
from config.loader import read_settings
from config.settings import Settings, Timings
from service.cli import main
from service.records.redis_check import find_risks
from tests.deploy.manifests import DEPLOY, ROOT, UNITS, instructions, load, option, pods, procfile, services
from tests.processes import API_TOKEN, SECRET_KEY, WEBHOOK_SECRET, RedisServer

PROCESSES = ("web", "worker")
ROWS = [row for table in (Settings, Timings) for row in rows_of(table).values()]
SETTINGS = {row.name for row in ROWS} | {f"{row.name}_FILE" for row in ROWS if row.is_secret}
GRACE_SECONDS = {"web": 30, "worker": (Timings().mail_budget + Timings().step_budget).total_seconds()}
"""docs/operating.md promises those of the web. A worker may need that long for an e-mail."""

WEAK = shlex.split(
    "--appendonly no --appendfsync no --maxmemory 1gb --maxmemory-policy allkeys-lru --hash-max-ziplist-value 64"
)


def test_image_starts_the_web_below_an_init() -> None:
    assert json.loads(instructions("ENTRYPOINT")[-1]) == ["tini", "--"]
    assert json.loads(instructions("CMD")[-1]) == procfile()["web"]


@pytest.mark.parametrize("name", PROCESSES)
def test_every_way_starts_the_command_of_the_procfile(name: str) -> None:
    (pod,) = pods()[name]["containers"]
    program, *arguments = option(UNITS[name], "ExecStart").split()
    in_unit = [program.removeprefix("/opt/afterword/.venv/bin/"), *arguments]
    assert shlex.split(services()[name]["command"]) == pod["args"] == in_unit == procfile()[name]


@pytest.mark.parametrize("name", PROCESSES)
def test_a_process_has_time_to_end(name: str) -> None:
    given = [services()[name]["stop_grace_period"].removesuffix("s"), option(UNITS[name], "TimeoutStopSec")]
    pod = pods()[name]
    pause = pod["containers"][0].get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["", 0])[1]
    given.append(pod["terminationGracePeriodSeconds"] - int(pause))
    assert min(map(int, given)) >= GRACE_SECONDS[name]


def test_the_web_listens_where_nginx_looks_for_it() -> None:
    (default,) = (row.default for row in rows_of(Settings).values() if row.name == "BIND")
    assert option(DEPLOY / "systemd" / "afterword-web.socket", "ListenStream") == default
    assert f"proxy_pass http://{default};" in (DEPLOY / "nginx" / "afterword.conf").read_text(encoding="utf-8")
    assert services()["web"]["ports"] == [f"{default}:8000"]


def test_python_of_the_image_is_a_supported_one() -> None:
    (version,) = {each.split(":")[1].split("-")[0] for each in instructions("FROM") if each.startswith("python:")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert SpecifierSet(project["requires-python"]).contains(version)


@pytest.mark.parametrize("file", [each for each in DEPLOY.rglob("*") if each.is_file()], ids=lambda file: file.name)
def test_every_variable_is_a_setting(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    named = re.findall(r"\b(?!AF_|CMD\b)[A-Z]+(?:_[A-Z0-9]+)+\b", text)
    assert [each for each in named if each not in SETTINGS] == []


def test_every_process_has_a_liveness_check() -> None:
    (image,) = instructions("HEALTHCHECK")
    (web,), (worker,) = pods()["web"]["containers"], pods()["worker"]["containers"]
    assert "/healthz" in image
    assert web["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert web["readinessProbe"]["httpGet"]["path"] == "/readyz"
    for command in (services()["worker"]["healthcheck"]["test"][1:], worker["livenessProbe"]["exec"]["command"]):
        assert command[0] == "afterword"
        assert command[1] in main.commands


def test_settings_of_the_pods_are_complete(tmp_path: Path) -> None:
    secrets = {
        "DIXA_API_TOKEN": API_TOKEN,
        "DIXA_WEBHOOK_SECRETS": WEBHOOK_SECRET,
        "SECRET_KEYS": SECRET_KEY,
        "REDIS_URL": "redis://redis:6379/0",
    }
    for name, value in secrets.items():
        (tmp_path / name).write_text(value, encoding="utf-8")
    (kustomization,) = load(DEPLOY / "kubernetes" / "kustomization.yaml")
    literals = " ".join(kustomization["configMapGenerator"][0]["literals"])
    for mounted, here in {"/run/secrets/afterword": tmp_path, "/etc/afterword": ROOT / "config"}.items():
        for pod in pods().values():
            assert mounted in {each["mountPath"] for each in pod["containers"][0]["volumeMounts"]}
        literals = literals.replace(mounted, str(here))
    settings = read_settings(dict(each.split("=") for each in literals.split()))
    assert settings.redis_url == secrets["REDIS_URL"]
    assert settings.secret_keys == (SECRET_KEY,)


def test_redis_of_the_compose_file_is_as_the_doctor_demands(tmp_path: Path) -> None:
    program, *options = shlex.split(services()["redis"]["command"])
    assert program == "redis-server"
    # Before Redis 7, which the tests may have, this option has another name.
    options = [each.replace("listpack", "ziplist") for each in options]
    server = RedisServer(tmp_path, *WEAK, *options)
    server.start()
    try:
        client = redis.Redis.from_url(server.url)
        info, config = client.info("everything"), client.config_get("*")
        client.close()
    finally:
        server.stop()
    assert list(find_risks(info, config["appendfsync"])) == []
    assert (config["hash-max-ziplist-value"], config["save"]) == ("1024", "")
