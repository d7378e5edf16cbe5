"""How a command asks: on stderr, so that stdout stays one document; never a second time what an option said."""

import getpass
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from nurture.errors import BadInput, did_you_mean

Answer = TypeVar("Answer")


def is_there_somebody() -> bool:
    """Whether anybody could answer."""
    return sys.stdin.isatty()


def ask(question: str, option: str, proposed: str = "", *, may_be_empty: bool = False) -> str:
    """What somebody types, or what is proposed if they only press return; where nobody is, the option must have said it."""
    if not is_there_somebody():
        if proposed or may_be_empty:
            return proposed
        raise BadInput(f"{option} is missing, and there is nobody to ask for it: {question}.")
    while True:
        sys.stderr.write(f"{question}{f' [{proposed}]' if proposed else ''}: ")
        sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            raise KeyboardInterrupt
        answer = line.strip() or proposed
        if answer or may_be_empty:
            return answer


def ask_for(read: Callable[[str], Answer], question: str, option: str, proposed: str = "", *, said: str = "") -> Answer:
    """What the option `said`, or what somebody types, once it can be read: whoever mistypes is told why, and asked again."""
    if said:
        return read(said)
    while True:
        try:
            return read(ask(question, option, proposed))
        except BadInput as error:
            if not is_there_somebody():
                raise
            sys.stderr.write(f"{error}\n")


def choose(question: str, option: str, among: tuple[str, ...], proposed: str = "") -> str:
    """One of these, the first being proposed unless another one is."""
    while True:
        answer = ask(f"{question} ({', '.join(among)})", option, proposed or among[0])
        if answer in among:
            return answer
        problem = f'"{answer}" is not one of {", ".join(among)}.{did_you_mean(answer, among)}'
        if not is_there_somebody():
            raise BadInput(f"{option}: {problem}")
        sys.stderr.write(f"{problem}\n")


def ask_secret(question: str, option: str, file: Path | None) -> str:
    """A secret: from a file ("-": stdin), or typed without being shown."""
    if file is not None:
        text = _read_secret(option, file)
        if not text.strip():
            raise BadInput(f"{option}: {file} is empty.")
        # What an editor puts behind the last line is not meant.
        return text.rstrip("\r\n")
    if not is_there_somebody():
        raise BadInput(f"{option} is missing, and there is nobody to ask for it; it names a file, or - for stdin.")
    while True:
        if answer := getpass.getpass(f"{question} (not shown): "):
            return answer


def _read_secret(option: str, file: Path) -> str:
    if str(file) == "-":
        return sys.stdin.read()
    try:
        # The mark some editors put in front is not meant either.
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadInput(f"{option}: {file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise BadInput(f"{option}: {file} is no text in UTF-8.") from None
