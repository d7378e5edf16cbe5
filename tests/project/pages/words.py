"""The words of conditions and templates, as tables: from the code as far as they exist, explained here."""

import typing
from collections.abc import Mapping

from nurture.app.language import language
from nurture.campaigns.samples import CAMPAIGN_MAIL
from nurture.conditions import Argument, Predicate
from nurture.contacts.fields import BUILT_IN
from nurture.rendering.filters import FILTERS
from nurture.rendering.links import OWN_ADDRESSES
from nurture.rendering.rules import NEVER_EMPTY
from tests.project.pages.markdown import code, table

#: What each field of a contact says, where its name does not say all.
FIELDS: Mapping[str, str] = {
    "email": "The address.",
    "domain": "The part of the address behind the @.",
    "first_name": "",
    "last_name": "",
    "company": "",
    "job_title": "",
    "country": 'ISO code: `"DE"`.',
    "language": 'ISO code: `"de"`.',
    "timezone": 'IANA name: `"Europe/Berlin"`.',
    "owner": "The operator they belong to, by address.",
    "source": "How they first came in.",
    "stage": "How far they are.",
    "interest": "What they said they want; never inferred.",
    "score": "What they did, as a number; it fades.",
    "fit": "Who they are against the customers you want; A is best.",
    "authority": "Whether they may decide to buy, as they or a rep said.",
    "budget": "Whether there is money for it, as they or a rep said.",
    "timing": "Whether it is soon, as they or a rep said.",
}

QUESTIONS: Mapping[str, str] = {
    "has_tag": "Whether they have a tag.",
    "in_list": "Whether they are on a list.",
    "in_segment": "Whether a condition of segments.yaml holds.",
    "subscribed": "Whether they may be mailed about a topic now.",
    "opened": "Whether they opened a mail.",
    "clicked": "Whether they clicked a link, of one mail or of any.",
    "replied": "Whether they wrote back.",
    "booked": "Whether they chose a time for a meeting that a mail offered, or said when else.",
    "submitted": "Whether they sent a form.",
    "answered": "Whether they answered the question of a mail, and how they did last, whichever mail asked it.",
    "visited": "Whether a click of theirs led to a page of that path.",
    "mailed": "Whether a campaign's mail may have reached them, of late (`within`) or that long ago (`before`).",
    "tracked_for": "Whether their opens and clicks may be recorded now, and could be for at least so long.",
    "enrolled": "Whether they are on their way through a sequence.",
    "finished": "Whether they came to the end of a sequence.",
}

#: Of the filters that are not Jinja's own, or behave otherwise here.
OWN_FILTERS: Mapping[str, str] = {
    "fallback": '`{{ contact.first_name | fallback("there") }}`: what to print when there is nothing, or only space.',
    "default": "Jinja's own, which steps in for a missing value as well.",
    "d": "Short for `default`.",
    "line_breaks": "`{{ owner.signature | line_breaks }}`: each line on a line of its own, in HTML as in plain text.",
    "join": "Jinja's own, bounded.",
    "replace": "Jinja's own, bounded.",
}

ADDRESSES: Mapping[str, str] = {
    "leave_url": "The page with the button to leave. Every campaign's mail must link to it.",
    "preferences_url": "The page to choose topics, and whether opens and clicks are recorded.",
    "view_url": "This mail in a browser.",
    "wish_url": "`{{ wish_url('demonstration') }}`: says what the reader wants: `information`, `demonstration` or `need`.",
    "form_url": "`{{ form_url('benchmark-report') }}`: that form, asking its reader only what we do not know yet.",
    "share_url": "`{{ share_url('newsletter') }}`: that form for whoever this mail is passed on to; says nothing about its reader.",
    "answer_url": "`{{ answer_url(2) }}`: the page with that answer to the mail's question; `parts/question.mjml` prints it.",
}

MAIL: Mapping[str, str] = {
    "title": "The name of the sequence or newsletter.",
    "kind": "`sequence` or `newsletter`.",
    "reason": "One sentence on why this person gets it, from their consent.",
    "topic_label": "The topic, as contacts see it.",
    "number": "The number of an issue.",
    "subject": "The subject of an issue.",
    "sign_up": "Of an issue: the form that newsletter.yaml names, if it does.",
    "meeting": "The times that an `offer_meeting` step offers: [see below](#times-to-meet).",
}


def fields() -> str:
    """The fields every contact has, whatever settings.toml declares."""
    rows = []
    for name, field in BUILT_IN.items():
        words = " < ".join(map(code, field.scale)) if field.scale else ""
        beside = ", ".join(map(code, field.outside_scale))
        values = "; outside the order: ".join(filter(None, [words, beside])) if words else beside
        missing = "" if name in NEVER_EMPTY else "may be missing"
        rows.append((code(name), str(field.type), values, FIELDS[name], missing))
    return table(("field", "type", "values", "what it says", ""), rows)


def questions() -> str:
    """The questions a condition may ask."""
    known: dict[str, Predicate] = {**language().predicates, "in_segment": Predicate((Argument("segment", str, True),))}
    rows = [(code(_call(name, known[name])), QUESTIONS[name]) for name in sorted(known, key=list(QUESTIONS).index)]
    return table(("question", "what it asks"), rows)


def _call(name: str, predicate: Predicate) -> str:
    """`clicked("mail", link="…", within="…", ever=True)`; what may be left out stands in brackets."""
    required = [f'"{one.name}"' for one in predicate.positional if one.is_required]
    optional = [f'"{one.name}"' for one in predicate.positional if not one.is_required]
    optional += [f'{one.name}="…"' for one in predicate.named] + [f"{flag}=True" for flag in predicate.flags]
    inside = ", ".join([*required, *(f"[{one}]" for one in optional)])
    return f"{name}({inside})"


def filters() -> str:
    """Our own filters, and those of Jinja that are kept."""
    own = [(code(name), OWN_FILTERS[name]) for name in OWN_FILTERS if name in FILTERS]
    kept = ", ".join(code(name) for name in sorted(FILTERS) if name not in OWN_FILTERS)
    return f"{table(('filter', 'what it does'), own)}\n\nFrom Jinja as they are there: {kept}."


def addresses() -> str:
    """What leads to our own pages, and what a mail knows about itself."""
    urls = [(code(name), ADDRESSES[name]) for name in sorted(OWN_ADDRESSES, key=list(ADDRESSES).index)]
    issue = {"number", "subject", "sign_up"}
    about = [(code(f"mail.{name}"), MAIL[name]) for name in MAIL if name in CAMPAIGN_MAIL | issue]
    return table(("name", "what it is"), [*urls, *about])


def explained() -> dict[str, tuple[typing.AbstractSet[str], typing.AbstractSet[str]]]:
    """What exists and what is explained here, for the test that holds the two equal."""
    return {
        "fields": (set(BUILT_IN), set(FIELDS)),
        "questions": ({*language().predicates, "in_segment"}, set(QUESTIONS)),
        "addresses": (set(OWN_ADDRESSES), set(ADDRESSES)),
        "mail": ({*CAMPAIGN_MAIL, "number", "subject", "sign_up", "meeting"}, set(MAIL)),
    }
