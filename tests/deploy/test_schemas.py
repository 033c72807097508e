"""The Dockerfile, the compose file and the Kubernetes manifests are well-formed."""

from pathlib import Path

import pytest

from tests.deploy.manifests import DEPLOY, KUBERNETES, ROOT, load, pods, services
from tests.deploy.tools import run

KUBERNETES_VERSION = "1.37"


def test_dockerfile_passes_hadolint() -> None:
    run("hadolint", DEPLOY / "Dockerfile")


def test_compose_file_fits_its_schema() -> None:
    run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml")


@pytest.mark.parametrize("file", KUBERNETES, ids=lambda file: file.stem)
def test_manifests_fit_their_schemas(file: Path) -> None:
    run("kubernetes-validate", "--strict", "--kubernetes-version", KUBERNETES_VERSION, file)


def test_kustomization_names_every_manifest() -> None:
    (kustomization,) = load(DEPLOY / "kubernetes" / "kustomization.yaml")
    assert kustomization["resources"] == [each.name for each in KUBERNETES]


def test_compose_builds_our_image_and_mounts_the_operators_surveys() -> None:
    assert (ROOT / services()["web"]["build"]["dockerfile"]).exists()
    mounts = [each for name in ("web", "worker") for each in services()[name]["volumes"] if each["type"] == "bind"]
    assert {each["source"] for each in mounts} == {"../surveys.toml"}
    assert "/surveys.toml" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {Path(each["target"]).name for each in mounts} == {services()["web"]["environment"]["SURVEYS_FILE"]}


def test_containers_have_no_rights() -> None:
    for service in services().values():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
    for pod in pods().values():
        assert pod["securityContext"]["runAsNonRoot"]
        (rights,) = [each["securityContext"] for each in pod["containers"]]
        assert rights["readOnlyRootFilesystem"]
        assert rights["allowPrivilegeEscalation"] is False
        assert rights["capabilities"] == {"drop": ["ALL"]}
