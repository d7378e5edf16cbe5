"""What `nurture run` writes down while it works: one line on stderr for each event, made of `key=value` pairs.

Nobody's address is in them: what is about a mail or an enrollment names its number, and an address that an error brought
along is struck out. The access log (`web.front`) names routes, never tokens.
"""

import json
import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

#: What a line may be about, as `extra` of the call that logs it.
ABOUT = ("worker", "delivery", "enrollment")

#: A message that consists of pairs already, such as those of the access log.
_PAIRS = re.compile(r"\w+=\S+(?: \w+=\S+)*")
_PLAIN = re.compile(r"[\w.:/{}+-]+")
_ADDRESS = re.compile(r"[^\s\"'<>()\[\]:;,=]+@[^\s\"'<>()\[\]:;,=]+")


@contextmanager
def logging_on_stderr(level: str) -> Iterator[None]:
    """Write down what our own code says from `level` on, and what libraries warn of."""
    root, ours = logging.getLogger(), logging.getLogger("nurture")
    before = root.level, ours.level
    handler = _OnStderr()
    handler.setFormatter(Pairs())
    root.addHandler(handler)
    # What libraries tell at `info` is a line per second, or holds addresses.
    root.setLevel(max(logging.WARNING, _number(level)))
    ours.setLevel(_number(level))
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(before[0])
        ours.setLevel(before[1])


def _number(level: str) -> int:
    return logging.getLevelNamesMapping()[level.upper()]


class Pairs(logging.Formatter):
    """`time=… level=… logger=… delivery=… message="…"`, one line even with a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC)
        pairs = {
            "time": f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            **{name: getattr(record, name) for name in ABOUT if hasattr(record, name)},
        }
        message = record.getMessage()
        is_pairs = bool(_PAIRS.fullmatch(message))
        if not is_pairs:
            pairs["message"] = message
        if record.exc_info:
            pairs["traceback"] = self.formatException(record.exc_info)
        line = " ".join(f"{name}={_written(str(value))}" for name, value in pairs.items())
        return _ADDRESS.sub("…", f"{line} {message}" if is_pairs else line)


def _written(value: str) -> str:
    return value if _PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)


class _OnStderr(logging.Handler):
    """Writes to what stderr is at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(f"{self.format(record)}\n")
            sys.stderr.flush()
        except Exception:  # noqa: BLE001 — a line that cannot be written must not stop the house
            self.handleError(record)
