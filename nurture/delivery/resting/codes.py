"""Which answers of a relay are a domain's policy about us, and which are about one mail or one mailbox. Pure.

Only the enhanced status code counts (RFC 3463, 2034), never the words. Its subject 7 is security and policy:

- X.7.0, X.7.1, X.7.20 to X.7.29 (RFC 7372, and what Google publishes as 4.7.23 to 4.7.32), X.7.515 and 5.7.6xx, 5.7.7xx
  (Microsoft): who we are, how we are signed, how much we sent. True for every mail to that domain: it rests.
- The few below are about this mailbox or this mail: it alone is refused.

X.7.1 means both; it is read as policy, for a wrong rest costs hours and a wrong refusal a reader. 421, 450 and 451 without
such a code are an ordinary putting off (greylisting, a busy server): only the mail waits. Everything else that is final
stays final: X.1.x and X.2.x are mailboxes, X.3.x and X.5.x our message or our protocol.
"""

import re

#: The code stands at the beginning of the text, with the reply's three digits before it or without.
_ENHANCED = re.compile(r"(?:[45]\d\d[ -])?([45])\.(\d{1,3})\.(\d{1,3})(?!\S*\d\.)\b")

#: Of subject 7: expansion of a list (RFC 3463), priorities (RFC 6710), a mailbox or domain with a new owner (RFC 7293),
#: and Microsoft's groups and mailboxes that take mail from few: 5.7.124, 5.7.133 to 5.7.136.
_ONE_MAILBOX = frozenset({2, 15, 16, 17, 18, 124, 133, 134, 135, 136})

#: The address does not exist, takes no mail any more, or never did (RFC 3463, 7505).
_GONE = frozenset({(1, 1), (1, 2), (1, 3), (1, 6), (1, 10), (2, 1)})

#: The system of the receiver, what the message is made of, and policy about us.
_NEVER_THE_ADDRESS = frozenset({3, 6, 7})
#: The mailbox is there: it is full, takes no message of that size, or is a list.
_IN_USE = frozenset({(2, 2), (2, 3), (2, 4)})


def enhanced_code(reply: str) -> str:
    """The enhanced status code of a reply, such as 4.7.28; empty if it has none."""
    found = _ENHANCED.match(reply.strip())
    return ".".join(found.groups()) if found else ""


def policy_code(reply: str) -> str:
    """The code if it says that the domain refuses us by its policy; empty if it says anything else."""
    code = enhanced_code(reply)
    _, subject, detail = code.split(".") if code else ("", "", "")
    return code if subject == "7" and int(detail) not in _ONE_MAILBOX else ""


def is_hard_bounce(reply: str) -> bool:
    """Whether a final refusal says that nobody has this address."""
    code = enhanced_code(reply)
    kind, subject, detail = code.split(".") if code else ("", "0", "0")
    return kind == "5" and (int(subject), int(detail)) in _GONE


def may_be_hard(status: str) -> bool:
    """Whether a mail that came back with this status (RFC 3464) may have gone to an address that nobody has.

    Servers that send reports often give a vague status, or none: only what is surely about something else is not counted.
    """
    code = enhanced_code(status)
    if not code:
        return True
    kind, subject, detail = (int(part) for part in code.split("."))
    is_elsewhere = subject in _NEVER_THE_ADDRESS or (subject, detail) in _IN_USE or (subject == 4 and detail != 4)
    return kind == 5 and not is_elsewhere
