"""Production's packages. The development environment has more, and libraries import some where they find them."""

from collections.abc import Iterable
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.processes import ROOT

_OURS = canonicalize_name("afterword")
_HIDDEN = 'raise ModuleNotFoundError("hidden: not in requirements.txt", name=__name__)\n'


def hide_others(folder: Path) -> Path:
    """Fill a folder for the start of PYTHONPATH. It hides the packages that requirements.txt doesn't install."""
    folder.mkdir()
    for module in _others():
        (folder / f"{module}.py").write_text(_HIDDEN, encoding="utf-8")
    return folder


@cache
def _others() -> Iterable[str]:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = [Requirement(line.rstrip("\\ ")) for line in lines if line[:1].isalnum()]
    installed = {canonicalize_name(each.name) for each in wanted if not each.marker or each.marker.evaluate()}
    installed.add(_OURS)
    modules = packages_distributions().items()
    return [name for name, packages in modules if installed.isdisjoint(map(canonicalize_name, packages))]
