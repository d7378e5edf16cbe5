"""A house that has every kind of public page, and where they are: for tests that look at all of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from nurture.forms.stamps import confirm_token
from tests.web.houses import House, Mail, running_house
from tests.web.test_answering import PART, QUESTIONS
from tests.web.test_meeting import OFFER
from tests.web.test_subscribe import FORMS, submit

#: One letter with every kind of link a mail can have.
LETTER = """\
{% set accent_color = "#1a5fb4" %}<mjml><mj-head><mj-title>Everything</mj-title></mj-head><mj-body><mj-section><mj-column>
<mj-text>Hello {{ contact.first_name | fallback("there") }}, here is <a href="https://acme.example/report">the report</a>,
<a href="https://acme.example/hello?to={{ contact.email | urlencode }}">your own page</a> and
<a href="https://acme.example/prices">what it costs</a>.</mj-text>
<mj-raw>{% for slot in mail.meeting.slots %}</mj-raw>
<mj-text><a href="{{ slot.url }}">{{ slot.label }}</a></mj-text>
<mj-raw>{% endfor %}</mj-raw>
<mj-text><a href="{{ mail.meeting.url }}">Another time</a></mj-text>
{{ question("timing", "size") }}
<mj-text><a href="{{ wish_url('information') }}">Tell me more</a>, <a href="{{ wish_url('demonstration') }}">show me</a>,
<a href="{{ wish_url('need') }}">we have a need</a>, <a href="{{ form_url('newsletter') }}">get the letter</a>,
<a href="{{ share_url('newsletter') }}">passed on by a colleague?</a></mj-text>
<mj-text>{{ sender.postal_address }} · <a href="{{ leave_url }}">Leave</a> · <a href="{{ preferences_url }}">Choose</a> ·
<a href="{{ view_url }}">Read it in a browser</a></mj-text>
</mj-column></mj-section></mj-body></mjml>
"""
FILES = {
    "campaigns/sequences/evaluators.yaml": OFFER,
    "campaigns/questions.yaml": QUESTIONS,
    "campaigns/forms.yaml": FORMS,
    "templates/meet.mjml": LETTER,
    "templates/parts/question.mjml": PART.read_text(encoding="utf-8"),
}


@contextmanager
def house_with_everything(folder: Path, url: str, now: datetime) -> Iterator[House]:
    with running_house(folder, url, now, files=FILES) as made:
        yield made


def sign_up(house: House) -> str:
    """Somebody signs up; where the mail leads that asks them."""
    answer = submit(house)
    assert answer.status_code == 200
    row = max(house.rows("sign_up"), key=lambda one: one["id"])
    return f"/confirm/{confirm_token(house.app.keys, row['id'])}"


def every_page(house: House, mail: Mail) -> dict[str, str]:
    """Every public page under a name of its own; what a request and a sign-up need is asked for first."""
    from tests.web.test_requests import NEW, links

    for form in ({"ask": "address", "address": NEW}, {"ask": "download"}, {"ask": "erase"}):
        assert house.http.post(mail.preferences, data=form).status_code == 200
    confirmations = {
        row["kind"]: link
        for row, link in zip(
            sorted(house.rows("personal_request"), key=lambda one: one["id"]),
            [link for link in links(house) if link != links(house)[1]],
            strict=True,
        )
    }
    found = mail.every_link()

    def first(prefix: str, *, holding: str = "") -> str:
        return next(link for link in found if link.startswith(prefix) and holding in link)

    return {
        "front": "/",
        "not there": "/nowhere",
        "a link cut short": "/u/wrong",
        "leave": mail.leave,
        "preferences": mail.preferences,
        "a wish": f"{mail.wish}/demonstration",
        "meet": first("/meet/").partition("?")[0],
        "meet at a time": first("/meet/", holding="slot=2"),
        "a question": first("/answer/"),
        "the mail": mail.view,
        "sign up": "/subscribe/newsletter",
        "sign up with a rep": "/subscribe/newsletter/luis",
        "sign up by a mail": first("/subscribe/newsletter/for/"),
        "confirm": sign_up(house),
        **{f"request: {kind}": link for kind, link in confirmations.items()},
    }
