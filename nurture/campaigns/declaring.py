"""The declarations of settings.toml are checked and frozen, as the files beside it are."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from nurture.campaigns import wording
from nurture.campaigns.declared import FILE, KIND, NAME, Declared, Sender, Strained
from nurture.campaigns.reading import Problem, Problems, Unit, Workspace
from nurture.conditions import ConditionError, Words, parse, segments_in
from nurture.database.engine import Session
from nurture.errors import BadInput, did_you_mean
from nurture.timing import get_zone, parse_days, parse_hours
from nurture.toml import line_of


class DeclaredKind:
    """Checks and freezes the declarations; `app` has read them from settings.toml."""

    name = KIND

    def __init__(
        self,
        declared: Declared,
        built_in: frozenset[str] = frozenset(),
        topics: Sequence[str] | None = None,
        borrowed: frozenset[str] = frozenset(),
        strained: Sequence[Strained] = (),
    ) -> None:
        """Hold what is declared.

        `built_in` are fields every contact has, `topics` all names as the file lists them, `borrowed` domains of free
        mail that we would write from and whose own relay we do not use, `strained` relays with stricter terms than theirs.
        """
        self._declared = declared
        self._strained = strained
        self._borrowed = borrowed
        self._built_in = built_in
        self._topics = list(declared.topics) if topics is None else topics

    def read(self, workspace: Workspace, problems: Problems) -> list[Unit]:
        _Check(workspace, self._declared, self._built_in, self._topics, self._borrowed, problems).run()
        for one in self._strained:
            problems.add(_problem_of(one, workspace))
        named = _segments_of(self._declared, workspace)
        return [Unit(KIND, NAME, FILE, replace(self._declared, assignment_segments=named).to_content())]

    def parts(self, content: Mapping[str, Any]) -> Mapping[str, Any]:
        return content

    def count_people(self, session: Session, name: str) -> int:
        return 0


def _problem_of(one: Strained, workspace: Workspace) -> Problem:
    """What `check` says about such a relay, at its section."""
    path = workspace.folder / FILE
    text = path.read_text(encoding="utf-8-sig") if path.exists() else ""
    line = line_of(text, ("smtp",) if one.turn is None else ("relays", one.turn))
    message = (
        f"{one.title} wants people to have agreed, and mail to those on {', '.join(one.bases)} would go through it."
    )
    hint = f"Type `nurture connect {one.relay}`, which sets relays.accepts, or name there whom its terms let you mail."
    return Problem(FILE, line or 1, 1, "NS018", message, hint, "warning")


def find_fault(condition: str, words: Words) -> ConditionError | None:
    """What is wrong with a condition; None: nothing."""
    try:
        parse(condition, words)
    except ConditionError as error:
        return error
    return None


def _segments_of(declared: Declared, workspace: Workspace) -> dict[str, str]:
    """The segments that the rules of assignment name, so that they mean the same for as long as this is published."""
    texts = [str(one["when"]) for one in declared.assignment if one["when"]]
    known = [text for text in texts if find_fault(text, workspace.words) is None]
    names = {name for text in known for name in segments_in(text, workspace.words)}
    return {name: workspace.words.segments[name] for name in sorted(names)}


#: What stands in an operator's settings and must be understood, or no lead of theirs would ever be due.
_READ_BY: Mapping[str, Callable[[str], object]] = {"timezone": get_zone, "days": parse_days, "hours": parse_hours}


class _Check:
    """Says what is wrong with the declarations, each with the line of its section."""

    def __init__(
        self,
        workspace: Workspace,
        declared: Declared,
        built_in: frozenset[str],
        topics: Sequence[str],
        borrowed: frozenset[str],
        problems: Problems,
    ) -> None:
        path = workspace.folder / FILE
        self._lines = path.read_text(encoding="utf-8-sig").splitlines() if path.exists() else []
        self._declared = declared
        self._built_in = built_in
        self._topics = topics
        self._borrowed = borrowed
        self._problems = problems
        self._words = workspace.words

    def run(self) -> None:
        sender = self._declared.default_sender
        if not sender.email:
            self._ask_of_sender("NS010", "email", "", "you@example.com")
        if not sender.postal_address.strip():
            why = "; the law wants it in every mail (CAN-SPAM, 16 CFR 316)"
            self._ask_of_sender("NS011", "postal_address", why, "Acme Inc., 12 Example Street, 10115 Berlin, Germany")
        if not self._declared.topics:
            message = "no topic is declared, so nobody could agree to one."
            self._complain("NS012", "", message, 'Add [[topics]] with name = "insights" and label = "Insights".')
        for number, name in enumerate(self._topics):
            if name in self._topics[:number]:
                message = f'topics.name: "{name}" is declared already; one consent cannot be for two things.'
                self._complain("NS004", "[[topics]]", message, "Give this one another name, or take it away.", number)
        # Where a borrowed domain would have to be added, NS016 says that it may not be.
        ours = self._declared.sender_domains | self._borrowed
        for named in (sender, *self._declared.senders.values()):
            if named.email and self._declared.sender_domains and named.domain not in ours:
                message = f"the sender {named.email} is not in one of senders.domains."
                hint = f'Add "{named.domain}" to senders.domains if that domain is yours.'
                self._complain("NS013", "[senders]", message, hint)
        for domain in sorted(self._borrowed):
            message = f"mail from {domain} is {domain}'s to send: its DMARC record has everybody refuse ours."
            hint = f"Write from a domain of your own, or hand the mail to the relay of {domain}."
            self._complain("NS016", "[senders", message, hint)
        self._check_honesty("[senders.default]", sender)
        for name, named in self._declared.senders.items():
            self._check_honesty(f"[senders.named.{name}]", named)
        self._check_operators()
        self._check_fields()
        self._check_assignment()

    def _complain(
        self, code: str, section: str, message: str, hint: str = "", turn: int = 0, severity: str = "error"
    ) -> None:
        """Complain about a section; `turn` says which of several of that name."""
        lines = [number for number, line in enumerate(self._lines, 1) if line.strip().startswith(section)]
        line = lines[turn] if section and turn < len(lines) else 1
        self._problems.add(Problem(FILE, line, 1, code, message, hint, severity))

    def _check_honesty(self, section: str, sender: Sender) -> None:
        """A sender is somebody, and listens."""
        if sender.email and wording.is_no_reply(sender.email):
            message = f"{sender.email} says that it does not want an answer; an answer is what these mails are for."
            self._remark("NS014", section, message, "Write from an address that somebody reads.")
        if sender.email and wording.is_nobody(sender.name, sender.email):
            message = f'the sender is called "{sender.name}", and that is nobody.'
            self._remark(
                "NS015", section, message, f'Write a person\'s name, such as "Dana Reed", or "Dana at {sender.domain}".'
            )
        self._check_letters(section, sender.email)

    def _check_letters(self, section: str, email: str, turn: int = 0) -> None:
        """RFC 6531: mail from such an address is for servers with SMTPUTF8 alone, all the way to the reader."""
        if not email.isascii():
            message = f"{email} has other letters than a to z: many relays and readers' servers refuse its mails."
            hint = "Write from an address without them, such as dana@acme.example; a domain has an xn-- form."
            self._remark("NS019", section, message, hint, turn)

    def _remark(self, code: str, section: str, message: str, hint: str, turn: int = 0) -> None:
        self._complain(code, section, message, hint, turn, "warning")

    def _ask_of_sender(self, code: str, key: str, why: str, such_as: str) -> None:
        """What must be known of the default sender; a key that is there and says nothing is not to be added once more."""
        line = line_of("\n".join(self._lines), ("senders", "default", key))
        is_there = line is not None and self._lines[line - 1].lstrip().startswith(key)
        message = f"senders.default.{key} is {'empty' if is_there else 'missing'}{why}."
        do = "Fill it in" if is_there else "Add to settings.toml, below [senders.default]"
        self._problems.add(Problem(FILE, line or 1, 1, code, message, f'{do}: {key} = "{such_as}"'))

    def _check_operators(self) -> None:
        seen: set[str] = set()
        for number, one in enumerate(self._declared.operators):
            for key, read in _READ_BY.items():
                try:
                    read(one[key])
                except BadInput as error:
                    self._complain("NS004", "[[operators]]", f"operators.{key}: {error}", turn=number)
            if one["email"].lower() in seen:
                message = f"operators.email: {one['email']} works here already."
                self._complain("NS004", "[[operators]]", message, "Keep one of the two.", number)
            self._check_letters("[[operators]]", one["email"], number)
            seen.add(one["email"].lower())

    def _check_assignment(self) -> None:
        working = [one["email"].lower() for one in self._declared.operators]
        names = [str(one["name"]) for one in self._declared.assignment]
        for number, one in enumerate(self._declared.assignment):
            fault = find_fault(str(one["when"]), self._words) if one["when"] else None
            if fault is not None:
                hint = fault.hint or "Write a condition as segments have it, or leave `when` out for everybody else."
                self._complain("NS004", "[[assignment]]", f"assignment.when: {fault}", hint, number)
            if not one["to"]:
                message = f'assignment.to: nobody gets whom the rule "{one["name"]}" is about.'
                self._complain("NS004", "[[assignment]]", message, "Name one operator or several by address.", number)
            for taker in one["to"]:
                if taker.lower() not in working:
                    message = f"assignment.to: {taker} is no operator."
                    hint = f"Name somebody of [[operators]].{did_you_mean(taker, working)}"
                    self._complain("NS004", "[[assignment]]", message, hint, number)
            if one["name"] in names[:number]:
                message = f'assignment.name: "{one["name"]}" is another rule already.'
                self._complain("NS004", "[[assignment]]", message, "The history names rules; give it its own.", number)

    def _check_fields(self) -> None:
        for name in self._declared.fields:
            section = f"[fields.{name}]"
            if name in self._built_in:
                message = f"fields.{name}: every contact has a {name} already."
                self._complain("NS004", section, message, "Give the field another name.")
            elif not (name.isidentifier() and name.isascii() and name == name.lower()):
                message = f'fields."{name}": no condition could name it.'
                hint = "Write small letters, digits and underscores, such as company_size; `label` is for people."
                self._complain("NS004", f'[fields."{name}"]', message, hint)
