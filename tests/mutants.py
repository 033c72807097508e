"""Mutation tests: `python -m tests.mutants`, or `make mutants`.

cosmic-ray makes the mutants. For each one, only the tests that execute the mutated line run. They run in a forked
process that has already imported the libraries, which saves seconds for each mutant. The mutants are made in a copy of
the project, `build/mutants/copy`.
"""

import argparse
import ast
import difflib
import gc
import hashlib
import importlib
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path
from random import Random

import pytest
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.provider import OperatorProvider
from coverage import CoverageData
from hypothesis import Phase, settings

PARTS = {
    "service/rules": ("tests/rules", "tests/records/test_opt_out_scope.py", "tests/journeys", "tests/cli"),
    "service/journeys": ("tests/journeys", "tests/delivery/test_message_reclose.py"),
    "service/records": ("tests/records", "tests/journeys"),
    "service/surveys/links.py": ("tests/surveys/test_links.py", "tests/web/test_mangled_links.py"),
    "service/dixa/signature.py": ("tests/dixa/test_signature.py", "tests/web/test_webhooks_refused.py"),
    "service/delivery": ("tests/delivery", "tests/journeys"),
}
"""Each part that is mutated, with the tests whose coverage is measured."""
ROOT = Path(__file__).parents[1]
WORK = ROOT / "build" / "mutants"
COPY = WORK / "copy"
LOG = WORK / "last.log"
FAILED = WORK / "failed"
TIMED_OUT = " took too long"
PRELOADED = (
    *("babel", "celery", "flask", "hypothesis", "marshmallow", "playwright.sync_api", "redis", "requests"),
    *("schemathesis", "structlog"),
)
"""Libraries imported before the fork. Pytest must import its plugins itself, to rewrite their assertions."""
GRACE_SECONDS = 20.0
"""A test times out after this, plus five times its duration without a mutant."""
ENOUGH_SECONDS = 90.0
"""A mutant has survived when tests of this duration pass: those of its module's name, then the shortest."""


@dataclass(frozen=True)
class Mutant:
    """One change of one line."""

    part: str
    path: str
    operator: str
    occurrence: int
    line: int

    @contextmanager
    def applied(self, number: int) -> Iterator[str]:
        """Change the file in the copy during the context, and yield the diff.

        Python recognizes stale bytecode by the time and size of the source, and two mutants of one file can be made in
        one second. So the number is the time.
        """
        file = COPY / self.path
        after = before = file.read_text()
        with suppress(AttributeError):  # cosmic-ray can't replace the dotted name of an exception in a tuple.
            after = mutate_code(before, OPERATORS[self.operator](), self.occurrence)
        file.write_text(after)
        os.utime(file, (number, number))
        lines = difflib.unified_diff(before.splitlines(), after.splitlines(), self.path, self.path, lineterm="", n=1)
        yield "\n".join(lines)
        file.write_text(before)


@dataclass(frozen=True)
class Coverage:
    """The tests of each line of a file, and how long each test takes."""

    tests: Mapping[str, Mapping[int, Sequence[str]]]
    seconds: Mapping[str, float]

    def find_tests(self, mutant: Mutant) -> list[str]:
        """Return the tests that execute the mutant's statement; for code that runs at import, those of the file.

        The tests of the module come first, then the shortest.
        """
        lines = self.tests.get(mutant.path, {})
        found = set(lines.get(mutant.line, ())) or {
            test for line in _statement_of(mutant) for test in lines.get(line, ())
        }
        if found == {""}:
            found = {test for tests in lines.values() for test in tests} - {""} or {*self.seconds}
        path = Path(mutant.path)
        own = {f"test_{path.stem}.py", f"test_{path.parent.name}_{path.stem}.py"}
        is_other = {each: Path(each.partition("::")[0]).name not in own for each in found}
        return sorted(found & self.seconds.keys(), key=lambda each: (is_other[each], self.seconds[each], each))

    def choose_tests(self, mutant: Mutant) -> list[str]:
        """Return the first of those tests, up to a duration of ENOUGH_SECONDS."""
        found = self.find_tests(mutant)
        ends = accumulate(self.seconds[each] for each in found)
        return [each for each, end in zip(found, ends, strict=True) if end <= ENOUGH_SECONDS] or found[:1]


class Selection:
    """A plugin of pytest that runs some of the collected tests, and writes the first failure to a file."""

    def __init__(self, tests: set[str]) -> None:
        self._tests = tests

    def pytest_sessionstart(self) -> None:
        # Without the shrink phase: searching for the smallest failing example takes minutes.
        settings.register_profile("mutants", settings.get_profile("afterword"), phases=[Phase.explicit, Phase.generate])
        settings.load_profile("mutants")

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [each for each in items if each.nodeid in self._tests]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            FAILED.write_text(report.nodeid + (TIMED_OUT if "pytest-timeout" in report.longreprtext else ""))


class Durations:
    """A plugin of pytest that writes the duration of each test that passes to a file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seconds: dict[str, float] = defaultdict(float)
        self._failed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid] += report.duration
        if report.failed:
            self._failed.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        if self._seconds:
            self._file.write_text(json.dumps({k: v for k, v in self._seconds.items() if k not in self._failed}))


_PROVIDER = OperatorProvider()
_HARMLESS = ("_Is", "_IsNot", "Is_Eq", "IsNot_NotEq")
"""`==` to `is` and back. They have no effect on None, enumerations and most short texts."""
OPERATORS = {
    name: _PROVIDER[name]
    for name in _PROVIDER
    if not _PROVIDER[name].arguments() and (not name.endswith(_HARMLESS) or name.endswith(("Is_IsNot", "IsNot_Is")))
}
"""All operators without arguments. Those with arguments need names of variables."""


def main() -> int:
    """Print each mutant with its result, and the totals."""
    arguments = _read_arguments()
    for name in PRELOADED:
        importlib.import_module(name)
    gc.freeze()  # Otherwise the garbage collector of each process would scan all libraries.
    parts = {part: folders for part, folders in PARTS.items() if not arguments.only or arguments.only.startswith(part)}
    if not parts:
        sys.exit(f"--only takes a file or folder in {', '.join(PARTS)}")
    _copy()
    mutants = [each for part in parts for each in _mutants(part, arguments.only or part)]
    chosen = mutants if arguments.all else _sample(mutants, arguments.sample, Random(arguments.seed))
    coverage = _measure(arguments.tests or sorted({folder for folders in parts.values() for folder in folders}))
    results: Counter[str] = Counter()
    for number, mutant in enumerate(chosen, 1):
        with mutant.applied(number) as diff:
            result, why = _test(coverage, mutant) if diff else ("invalid", "cosmic-ray can't make it")
        results[result] += 1
        _print(f"{number}/{len(chosen)} {result} {mutant.path}:{mutant.line} {mutant.operator} {why}")
        if result == "survived":
            _print(diff)
    noticed, valid = results["killed"] + results["timeout"], len(chosen) - results["invalid"]
    _print(
        f"mutants: {valid} of {len(mutants)} (seed {arguments.seed}), {results['killed']} killed, "
        f"{results['timeout']} timeouts, {results['survived']} survived: {noticed / max(1, valid):.0%} noticed"
    )
    return 0


def _mutants(part: str, only: str) -> Iterator[Mutant]:
    """Yield one mutant for each place and kind of change. `a == b` becomes one of six other comparisons."""
    for file in _modules(COPY / only):
        path = file.relative_to(COPY).as_posix()
        nodes = list(ast_nodes(get_ast(file.read_text())))
        ignored = _ignored(path)
        places: dict[object, list[Mutant]] = defaultdict(list)
        for name, operator in OPERATORS.items():
            positions = (start for node in nodes for start, _ in operator().mutation_positions(node))
            for occurrence, (line, column) in enumerate(positions):
                if not any(start <= (line, column) < end for start, end in ignored):
                    family = name.split("_")[0]
                    places[line, column, family].append(Mutant(part, path, name, occurrence, line))
        for place, each in places.items():
            yield Random(f"{path} {place}").choice(each)


def _sample(mutants: Sequence[Mutant], size: int, chance: Random) -> list[Mutant]:
    """Draw the same number from each part, or all of a smaller part."""
    queues: dict[str, list[Mutant]] = defaultdict(list)
    for each in chance.sample(mutants, len(mutants)):
        queues[each.part].append(each)
    chosen: list[Mutant] = []
    while len(chosen) < size and any(queues.values()):
        chosen += [queue.pop() for queue in queues.values() if queue]
    return sorted(chosen[:size], key=lambda each: (each.path, each.line))


def _ignored(path: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Return the spans of code checked by mypy instead of tests: annotations, and `@dataclass(frozen=True)`."""
    return [
        ((each.lineno, each.col_offset - 1), (each.end_lineno or 0, each.end_col_offset or 0))
        for node in ast.walk(_tree(path))
        for each in _typing_of(node)  # A decorator begins with its @, one column before.
    ]


def _typing_of(node: ast.AST) -> Iterator[ast.expr]:
    match node:
        case ast.AnnAssign(annotation=found) | ast.arg(annotation=ast.expr() as found):
            yield found
        case ast.FunctionDef(returns=ast.expr() as found):
            yield found
        case ast.ClassDef(decorator_list=decorators):
            yield from (each for each in decorators if "dataclass" in ast.unparse(each))


def _statement_of(mutant: Mutant) -> Iterable[int]:
    """Return the lines of the statement, or of its head if it has a body."""
    found = range(0)
    for node in ast.walk(_tree(mutant.path)):  # Outer nodes come first.
        if isinstance(node, ast.stmt) and node.lineno <= mutant.line <= (node.end_lineno or 0):
            body: list[ast.stmt] = getattr(node, "body", [])
            end = body[0].lineno if body else (node.end_lineno or 0) + 1
            found = range(node.lineno, max(end, node.lineno + 1))
    return found


def _modules(path: Path) -> list[Path]:
    return sorted(path.rglob("*.py")) if path.is_dir() else [path]


@cache
def _tree(path: str) -> ast.Module:
    return ast.parse((COPY / path).read_text())


def _copy() -> None:
    """Copy the files of the working tree, which stays free of mutants."""
    shutil.rmtree(COPY, ignore_errors=True)
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines():
        if (ROOT / name).is_file():
            (COPY / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, COPY / name)


def _measure(paths: Sequence[str]) -> Coverage:
    """Run the tests without a mutant. Reuse a file's coverage until it or an imported module changes."""
    tests: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    seconds: dict[str, float] = {}
    for file in _test_files(paths):
        stem = WORK / f"{file.replace('/', '-').removesuffix('.py')}-{_fingerprint(file)}"
        data, times = stem.with_suffix(".coverage"), stem.with_suffix(".json")
        if not times.exists():
            _print(f"Measuring which lines {file} executes …")
            os.environ["COVERAGE_FILE"] = str(data)
            options = ["--cov=service", "--cov-context=test", "--cov-report=", "--cov-fail-under=0"]
            code = _run([file, *options], Durations(times), None)
            if code not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
                sys.exit(f"Can't run {file}: see {LOG}")
            if code:
                _print(f"Some tests of {file} fail without a mutant and are left out: see {LOG}")
        seconds |= json.loads(times.read_text())
        read = CoverageData(basename=str(data))
        read.read()
        for module in read.measured_files():
            found = tests[Path(module).relative_to(COPY).as_posix()]
            for line, contexts in read.contexts_by_lineno(module).items():
                found[line] += [each.rpartition("|")[0] for each in contexts]
    return Coverage(tests, seconds)


def _test_files(paths: Sequence[str]) -> list[str]:
    files = {each for path in paths for each in _modules(COPY / path) if each.name.startswith("test_")}
    return sorted(each.relative_to(COPY).as_posix() for each in files)


def _fingerprint(file: str) -> str:
    helpers = [each for each in (COPY / file).parent.glob("*.py") if not each.name.startswith("test_")]
    files = [COPY / "pyproject.toml", COPY / file, *(COPY / "tests").glob("*.py"), *helpers]
    files += [each for name in ("config", "service") for each in (COPY / name).rglob("*.*") if each.suffix != ".pyc"]
    return hashlib.sha256(b"".join(each.read_bytes() for each in sorted(files))).hexdigest()[:12]


def _test(coverage: Coverage, mutant: Mutant) -> tuple[str, str]:
    """Return killed, timeout, survived or invalid, and the test that failed."""
    try:
        compile((COPY / mutant.path).read_text(), mutant.path, "exec", dont_inherit=True)
    except SyntaxError:
        return "invalid", "no Python"  # Such as `def act(self, <<, force: bool)`.
    tests = coverage.choose_tests(mutant)
    if not tests:
        return "survived", "no test executes it"
    files = list(dict.fromkeys(each.partition("::")[0] for each in tests))
    seconds = [coverage.seconds[each] for each in tests]
    FAILED.unlink(missing_ok=True)
    options = ["-x", f"--timeout={GRACE_SECONDS + 5 * max(seconds)}"]
    match _run([*files, *options], Selection({*tests}), GRACE_SECONDS + 5 * sum(seconds)):
        case None:
            return "timeout", ""
        case pytest.ExitCode.OK:
            return "survived", f"{len(tests)} of {len(coverage.find_tests(mutant))} tests"
        case pytest.ExitCode.NO_TESTS_COLLECTED:
            sys.exit(f"pytest found no test of the mutant; see {LOG}")
        case _:
            failed = FAILED.read_text() if FAILED.exists() else "by an import"
            return "timeout" if failed.endswith(TIMED_OUT) else "killed", failed


def _run(arguments: Sequence[str], plugin: Selection | Durations, limit: float | None) -> int | None:
    """Run pytest in a forked process, and return its exit code, or None if it took longer than its limit."""
    child = multiprocessing.get_context("fork").Process(target=_run_here, args=(arguments, plugin))
    child.start()
    assert child.pid
    child.join(limit)
    if child.exitcode is None:
        os.kill(child.pid, signal.SIGINT)  # So that fixtures stop their servers.
        child.join(GRACE_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.join()
        return None
    return child.exitcode


def _run_here(arguments: Sequence[str], plugin: Selection | Durations) -> None:
    os.setsid()
    os.chdir(COPY)
    sys.dont_write_bytecode = False  # Else each process would compile all modules again.
    with LOG.open("w") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    for name in list(sys.modules):
        if name.partition(".")[0] in {"config", "service", "tests", "workers"}:
            del sys.modules[name]  # The imported modules are those outside of the copy.
    sys.path[:] = [str(COPY), *(each for each in sys.path if Path(each).resolve() != ROOT)]
    os.environ["PYTHONPATH"] = str(COPY)
    options = ["-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]  # Of Hypothesis.
    sys.exit(pytest.main([*options, *arguments], plugins=[plugin]))


def _read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--sample", type=int, default=200, help="how many mutants (200)")
    parser.add_argument("--seed", type=int, default=1, help="the seed of the sample (1)")
    parser.add_argument("--all", action="store_true", help="every mutant, which takes many hours")
    parser.add_argument("--only", help="a file or folder, such as service/rules")
    parser.add_argument("--tests", nargs="+", help="run these files or folders of tests only, such as tests/rules")
    return parser.parse_args()


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
