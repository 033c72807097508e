"""The figures of the survey page in docs/benchmarks.md: sizes, axe-core, Lighthouse. `make figures` prints them.

Fails if a figure exceeds the documented limit.
"""

import logging
import sys
from collections.abc import Iterator

from tests.browser import axe, lighthouse, tools
from tests.browser.conftest import chromium
from tests.web.states import KINDS, STATES, make_app
from tests.web.weights import GZIPPED_BYTES, ONE, RAW_BYTES, SEVERAL, weigh_largest


def sizes() -> Iterator[str]:
    """Yield a table of the sizes: a row for each state, a column for each survey, in the largest language."""
    yield f"A page of one question, with {ONE};"
    yield f"a page of all three, with {SEVERAL}. A logo and the customer's text add to this."
    yield ""
    yield "| bytes (gzipped), at most | CSAT | NPS | thumbs | all three |"
    yield "|---|---|---|---|---|"
    with make_app().test_request_context():
        for name in [name for name in STATES if name.split("-")[0] not in KINDS]:
            others = [kind if name == "form" else f"{kind}-{name}" for kind in KINDS if kind]
            yield f"| {name} | {' | '.join(weight(each) if each in STATES else '' for each in (name, *others))} |"


def weight(name: str) -> str:
    """Return the largest size of a state in any language."""
    raw, gzipped = weigh_largest(name)
    assert raw <= RAW_BYTES
    assert gzipped <= GZIPPED_BYTES
    return f"{raw:,} ({gzipped:,})"


def accessibility() -> axe.Tally:
    """Run axe-core on every state."""
    tally = axe.Tally()
    with make_app().test_request_context(), chromium() as browser:
        windows = axe.Windows(browser)
        for name in STATES:
            windows.audit_state(name, tally, every_language=True)
    return tally


def main() -> None:
    """Print all figures."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    write(*sizes(), "")
    tally = accessibility()
    write(str(tally), *tally.found)
    low: list[str] = []
    with lighthouse.real_pages() as urls:
        for name, url in urls.items():
            best = lighthouse.best_result(url)
            low += best.too_low()
            write(f"Lighthouse, {name}: {best}")
    sys.exit(1 if tally.found or low else 0)


def write(*lines: str) -> None:
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        main()
    except tools.ToolMissing as missing:
        sys.exit(str(missing))
