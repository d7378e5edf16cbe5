"""What became of a mail on its way: written here, read again where it arrived, and judged. Pure but for the name servers.

`nurture doctor --round-trip` sends one of each kind; this says what its receiver thought of SPF, DKIM and DMARC, whether a
signature covers both headers of the way out, what the relay made of it, whether the last hop was encrypted, and how long
it took.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from nurture.doctor.findings import Finding
from nurture.doctor.resolving import Resolver
from nurture.doctor.rules import is_aligned
from nurture.doctor.signatures import Checked, check_signatures, split_message

#: What every server on the way writes, and what mailboxes add.
_OF_THE_WAY = frozenset({
    "received", "return-path", "delivered-to", "authentication-results", "received-spf", "dkim-signature", "x-received",
    "envelope-to", "delivery-date", "dkim-filter",
})  # fmt: skip
_COMMENT = re.compile(r"\([^()]*\)")
_RESULT = re.compile(r"\b(spf|dkim|dmarc)\s*=\s*([a-z]+)([^;]*)", re.IGNORECASE)
_LEAVING = ("list-unsubscribe", "list-unsubscribe-post")
_BY_TLS = re.compile(r"\bwith\s+(?:UTF8)?(?:E?SMTPSA?|LMTPSA?)\b|\bTLS|cipher", re.IGNORECASE)
_FROM_HERE = re.compile(
    r"\blocalhost\b|\b127\.0\.0\.\d+\b|(?:(?<![0-9a-f:])|(?<=IPv6:))::1(?![0-9a-f:])", re.IGNORECASE
)
#: From one part of a mailbox provider to another: into the mailbox (RFC 2033), or by a way that is no mail at all.
_WITHIN = re.compile(r"\bwith\s+(?:LMTPA?|HTTPS?|MAPI|local)\b", re.IGNORECASE)
_FROM_INSIDE = re.compile(
    r"\.(?:internal|local|lan)\b|[\[(](?:10\.\d+|192\.168|172\.(?:1[6-9]|2\d|3[01]))\.\d+\.\d+[\])]"
    r"|[\[:(]f[cd][0-9a-f]{2}:",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Sent:
    """A mail as it was handed to the relay; `kind` names it for people."""

    kind: str
    content: bytes
    mail_from: str


def judge(resolver: Resolver, sent: Sent, arrived: bytes, seconds: float) -> list[Finding]:
    """Everything that is to be said about one mail that arrived."""
    before, after = _Mail(sent.content), _Mail(arrived)
    signatures = check_signatures(resolver, arrived)
    findings = [
        _on_its_way(sent, after, seconds),
        _authenticated(sent, before.domain, after, signatures),
        _way_out(sent, before, signatures),
        _unchanged(sent, before, after),
    ]
    return [one for one in findings if one is not None]


def missing(kind: str, seconds: float) -> Finding:
    """A mail that did not come."""
    return Finding(
        f"{kind}: arrives", False, f"it had not arrived after {seconds:.0f} seconds",
        "look for it in the log of the relay and in the spam folder; run it again with --wait if the relay is slow",
    )  # fmt: skip


class _Mail:
    """The headers and the body of a message."""

    def __init__(self, content: bytes) -> None:
        self.fields, body = split_message(content)
        self.body = body.rstrip(b"\r\n")

    def all(self, name: str) -> list[str]:
        """The values of a header, from the top, unfolded."""
        return [_value(line) for known, line in self.fields if known == name]

    def first(self, name: str) -> str:
        return next(iter(self.all(name)), "")

    @property
    def domain(self) -> str:
        """The domain that a reader sees the mail come from."""
        return self.first("from").rpartition("@")[2].strip(" >").lower()


def _value(line: bytes) -> str:
    return " ".join(line.partition(b":")[2].decode("utf-8", "replace").split())


def _on_its_way(sent: Sent, after: _Mail, seconds: float) -> Finding:
    """How long it took, and whether the mailbox's server was handed it encrypted by whoever is not one of its own."""
    check = f"{sent.kind}: arrives"
    hops = after.all("received")
    took = f"after {seconds:.1f} seconds"
    if not hops:
        return Finding(check, True, f"{took}; no server wrote down how it got it")
    hop = _last_handing_over(hops)
    if _BY_TLS.search(hop):
        return Finding(check, True, f"{took}, the last hop encrypted")
    if not hop or _FROM_HERE.search(_giver(hop)):
        return Finding(check, True, f"{took}, the last hop on one machine")
    return Finding(
        check, False, f"{took}, the last hop not encrypted: {hop[:120]}",
        "let the server that takes mail for this mailbox offer STARTTLS, and the relay use it",
    )  # fmt: skip


def _giver(hop: str) -> str:
    """What a Received header says of whoever handed the mail over."""
    return hop.partition(" by ")[0]


def _last_handing_over(hops: Sequence[str]) -> str:
    """The hop by which the provider of the mailbox got it: Gmail, Microsoft and others write hops of their own above it.

    The empty text where nobody handed it over; where all came from inside, the topmost of them.
    """
    handed = [hop for hop in hops if hop.lower().startswith("from ") and not _WITHIN.search(hop)]
    inside = [hop for hop in handed if _FROM_HERE.search(_giver(hop)) or _FROM_INSIDE.search(_giver(hop))]
    return next((hop for hop in handed if hop not in inside), next(iter(handed), ""))


def _authenticated(sent: Sent, domain: str, after: _Mail, signatures: Sequence[Checked]) -> Finding:
    check = f"{sent.kind}: SPF, DKIM, DMARC"
    said = _said_by_receiver(after)
    ours = [one for one in signatures if one.holds and is_aligned(one.domain, domain)]
    broken = [one for one in signatures if not one.holds and is_aligned(one.domain, domain)]
    held = " and ".join(f"{one.selector} ({one.algorithm})" for one in ours)
    told = ", ".join(f"{method} {result}" for method, result in said.items())
    judged = (
        f"its receiver says {told}" if told else "its receiver does not say what it thinks (no Authentication-Results)"
    )
    if broken:
        one = broken[0]
        return Finding(
            check, False, f"the signature {one.selector} of {one.domain} does not hold: {one.fault}; {judged}", one.do
        )
    if not ours:
        return Finding(
            check, False, f"no signature speaks for {domain}; {judged}",
            f"type `nurture dkim create --domain {domain}`, or let the relay sign as {domain}",
        )  # fmt: skip
    failed = [method for method, result in said.items() if result != "pass" and method != "spf"]
    if failed or (said.get("spf", "pass") != "pass" and said.get("dmarc") != "pass"):
        return Finding(
            check, False, f"signed by {held}, but {judged}", "see what `nurture doctor` says about SPF, DKIM and DMARC"
        )
    return Finding(check, True, f"signed by {held}; {judged}")


def _said_by_receiver(after: _Mail) -> dict[str, str]:
    """The verdicts in the topmost Authentication-Results (RFC 8601): only that one is from the receiver itself."""
    found: dict[str, str] = {}
    for method, result, _ in _RESULT.findall(_COMMENT.sub("", after.first("authentication-results"))):
        # Of several signatures one that passes is enough.
        if found.get(method.lower()) != "pass":
            found[method.lower()] = result.lower()
    return found


def _way_out(sent: Sent, before: _Mail, signatures: Sequence[Checked]) -> Finding | None:
    """RFC 8058, 4: a signature that holds covers both headers."""
    check = f"{sent.kind}: List-Unsubscribe"
    there = [name for name in _LEAVING if before.first(name)]
    if not there:
        return None
    covering = [one for one in signatures if one.holds and set(there) <= set(one.headers)]
    if covering:
        one = covering[0]
        return Finding(check, True, f"{' and '.join(there)} signed by {one.selector} of {one.domain}")
    return Finding(
        check, False, f"no signature that holds covers {' and '.join(there)}, so Gmail and Yahoo show no button",
        "sign here with `nurture dkim create`, or ask the relay to cover both headers",
    )  # fmt: skip


def _unchanged(sent: Sent, before: _Mail, after: _Mail) -> Finding:
    check = f"{sent.kind}: as it was sent"
    names = list(dict.fromkeys(name for name, _ in before.fields if name != "dkim-signature"))
    gone = [name for name in names if not after.all(name)]
    changed = [name for name in names if name not in gone and not set(before.all(name)) <= set(after.all(name))]
    known = {name for name, _ in before.fields} | _OF_THE_WAY
    added = sorted({name for name, _ in after.fields if name not in known and not name.startswith(("x-", "arc-"))})
    returned = after.first("return-path").strip("<> ")
    remarks = [f"it added {', '.join(added)}"] if added else []
    if returned and returned.lower() != sent.mail_from.lower():
        remarks.append(f"bounces go to {returned.rpartition('@')[2]}, and not to us")
    # Some relays put a name of their own, and tell it in their answer, by which replies are matched.
    remarks += [f"it wrote its own {name}" for name in changed if name in {"message-id", "date"}]
    spoiled = [name for name in changed if name not in {"message-id", "date"}]
    faults = [f"it took {', '.join(gone)} away"] if gone else []
    faults += [f"it changed {', '.join(spoiled)}"] if spoiled else []
    faults += ["it changed the body"] if after.body != before.body else []
    if faults:
        return Finding(
            check, False, f"on its way: {'; '.join([*faults, *remarks])}",
            "switch off what the relay does to mails: footers, click and open tracking, list management",
        )  # fmt: skip
    return Finding(check, True, "; ".join(remarks) or "nothing was changed on the way")
