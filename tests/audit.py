"""Looks for known vulnerabilities of the packages that Afterword runs with: `make audit`.

Exit codes: 0 none is known, 1 some are, 3 not all packages could be looked up, such as without a network.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from tests.processes import BIN, ROOT

FOUND, UNKNOWN = 1, 3
_SECONDS = 180


def audit(options: Sequence[str] = ()) -> int:
    """Run pip-audit on the locked packages, those of all extras included, and print what it says."""
    # Without pip: the lock file has all packages with their hashes, so nothing has to be resolved or downloaded.
    lists = [f"--requirement=requirements-{extra}.txt" for extra in ("sentry", "postgres", "parquet")]
    command = [f"{BIN}/pip-audit", "--disable-pip", "--require-hashes", *lists]
    command += ["--progress-spinner=off", "--timeout=10", "--format=json", *options]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=_SECONDS)
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError):
        print("Not audited: the index of vulnerabilities can't be reached.")  # noqa: T201
        return UNKNOWN
    vulnerable = [(each, problem) for each in packages for problem in each.get("vulns", ())]
    for each, problem in vulnerable:
        fixed = ", ".join(problem["fix_versions"]) or "no version yet"
        print(f"{each['name']} {each['version']}: {problem['id']}, fixed in {fixed}")  # noqa: T201
    unknown = [each["name"] for each in packages if "skip_reason" in each]
    if unknown:
        print(f"Not audited, since the index doesn't know them or can't be reached: {', '.join(unknown)}")  # noqa: T201
    print(f"{len(packages) - len(unknown)} packages audited, {len(vulnerable)} known vulnerabilities")  # noqa: T201
    return FOUND if vulnerable else UNKNOWN if unknown or not packages else 0


if __name__ == "__main__":
    sys.exit(audit(sys.argv[1:]))
