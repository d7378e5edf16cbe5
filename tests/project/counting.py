"""A pytest plugin that counts what a run really did: Hypothesis examples, and tests that were skipped and why.

`pytest -p tests.project.counting --counts FILE` writes the counts as JSON when the run ends. An example is one call of
the function under a `@given`, which Hypothesis offers to wrap as `inner_test`; the processes of xdist add up theirs.
"""

import functools
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

_OPTION = "--counts"
_KEY = "nurture_examples"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(_OPTION, default="", metavar="FILE", help="write what this run really did to FILE, as JSON")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(_Counts(config), "nurture-counts")


class _Counts:
    """What one process did; the one that the others report to adds it up."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._examples: Counter[str] = Counter()
        self._skipped: dict[str, str] = {}
        self._outcomes: Counter[str] = Counter()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        """Count the examples of a property while it runs."""
        handle = getattr(getattr(item, "obj", None), "hypothesis", None)
        if handle is None:
            return (yield)
        inner = handle.inner_test
        handle.inner_test = self._counted(inner, item.nodeid)
        try:
            return (yield)
        finally:
            handle.inner_test = inner

    def _counted(self, inner: Callable[..., Any], name: str) -> Callable[..., Any]:
        @functools.wraps(inner)
        def counted(*args: Any, **kwargs: Any) -> Any:
            self._examples[name] += 1
            return inner(*args, **kwargs)

        return counted

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep why a test was skipped; with xdist only the first process hears of all of them."""
        if report.when == "call" or report.skipped or report.failed:
            self._outcomes[report.outcome] += 1
        if report.skipped:
            self._skipped[report.nodeid] = _reason(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self._skipped[report.nodeid] = _reason(report)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """A process of xdist ended: take over what it counted."""
        self._examples.update(getattr(node, "workeroutput", {}).get(_KEY, {}))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Before xdist waits for its processes, which have reported by then."""
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output[_KEY] = dict(self._examples)
            return
        if file := self._config.getoption(_OPTION):
            counts = {
                "properties": len(self._examples),
                "examples": sum(self._examples.values()),
                "outcomes": dict(self._outcomes),
                "skipped": self._skipped,
            }
            Path(file).write_text(json.dumps(counts, ensure_ascii=False, indent=2), encoding="utf-8")


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """`Skipped: no browser` without its first word; an expected failure says why it is expected."""
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    return str(getattr(report, "wasxfail", report.longrepr))
