"""What a form says when it comes back, without a page around it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.conditions import FieldType
from nurture.contacts.fields import DeclaredField
from nurture.forms.rules import (
    Entry,
    Faults,
    Form,
    Question,
    Terms,
    is_machine,
    may_act_at_once,
    next_look_at,
    read_entry,
    rep_names,
    version_of,
)
from nurture.forms.stamps import read_stamp, stamp
from nurture.tokens import TokenKeys

NOW = datetime(2026, 3, 10, 9, tzinfo=UTC)
TOPIC = {"label": "Insights", "description": ""}
FORM = Form(
    "newsletter",
    1,
    {
        "consent": {"de": "Ja.", "en": "Yes."},
        "tracking": {"en": "And clicks."},
        "topics": ["insights", "events"],
        "rests_on": {"topics": {"events": TOPIC, "insights": TOPIC}},
    },
    (Question("company", is_required=True, type="text", label={}), Question("size", is_required=False, type="number", label={})),
    {"size": DeclaredField("size", FieldType.NUMBER, "Size")},
)  # fmt: skip
SAID = {"email": "Bo@Reader.example", "field_company": " Bo  & Co ", "consent": "yes", "tracking": "yes", "call": "yes"}


def test_an_entry_holds_what_the_form_asks_and_nothing_else() -> None:
    entry = read_entry(FORM, {**SAID, "field_stage": "customer", "field_size": "1,200"}, ["events", "else"], "en")
    assert isinstance(entry, Entry)
    assert entry.values == {"company": "Bo & Co", "size": 1200}
    assert entry.topics == ("events",)
    assert entry.wants_tracking
    assert not entry.wants_call
    assert entry.address is not None
    assert entry.address.key == "bo@reader.example"


def test_nobody_agrees_to_tracking_in_words_they_were_not_shown() -> None:
    entry = read_entry(FORM, SAID, ["insights"], "de")
    assert isinstance(entry, Entry)
    assert not entry.wants_tracking


def test_what_is_known_is_not_asked_and_cannot_be_written_over() -> None:
    entry = read_entry(
        FORM, {**SAID, "field_company": "Theirs"}, ["insights"], "en", asks_address=False, known=["company"]
    )
    assert isinstance(entry, Entry)
    assert entry.values == {}
    assert entry.address is None


def test_every_fault_is_told_at_once() -> None:
    faults = read_entry(FORM, {"field_size": "many", "email": "bo@gmial.com"}, [], "en")
    assert isinstance(faults, Faults)
    assert faults.by_field == {
        "email": "misspelt", "company": "required", "size": "no_number", "topics": "no_topic", "consent": "no_consent",
    }  # fmt: skip
    assert faults.meant == "bo@gmail.com"


@given(st.dictionaries(st.sampled_from([*SAID, "field_size", "sure"]), st.text(max_size=40)))
def test_whatever_is_sent_becomes_an_entry_on_single_lines_or_faults(said: dict[str, str]) -> None:
    found = read_entry(FORM, {**SAID, **said}, ["insights"], "en")
    if isinstance(found, Entry):
        for value in found.values.values():
            assert len(str(value).splitlines()) <= 1
    else:
        assert found


@pytest.mark.parametrize(("seconds", "is_caught"), [(0, True), (1.9, True), (2, False), (90_000, False)])
def test_nobody_is_quicker_than_two_seconds(seconds: float, is_caught: bool) -> None:
    assert is_machine({}, NOW - timedelta(seconds=seconds), NOW) is is_caught
    assert is_machine({"homepage": "x"}, NOW - timedelta(days=1), NOW)


def test_a_stamp_is_good_for_its_form_only() -> None:
    keys = TokenKeys(["a secret"])
    assert read_stamp(keys, "one", stamp(keys, "one", NOW)) == (True, NOW)
    assert read_stamp(keys, "one", stamp(keys, "one", None)) == (True, None)
    assert read_stamp(keys, "two", stamp(keys, "one", NOW)) == (False, None)
    assert read_stamp(keys, "one", "") == (False, None)


def test_only_a_personal_link_acts_at_once_and_only_for_what_its_owner_gets_anyway() -> None:
    assert may_act_at_once(is_personal=True, subscribed=["insights"], topics=["insights"])
    assert not may_act_at_once(is_personal=False, subscribed=["insights"], topics=["insights"])
    assert not may_act_at_once(is_personal=True, subscribed=["insights"], topics=["insights", "events"])


@given(within=st.integers(1, 60), remind=st.integers(1, 60))
def test_a_reminder_never_comes_after_the_link_has_ended(within: int, remind: int) -> None:
    terms = Terms(confirm_within=timedelta(days=within), remind_after=timedelta(days=remind))
    first = next_look_at(NOW, is_reminded=False, terms=terms)
    last = next_look_at(NOW, is_reminded=True, terms=terms)
    assert first <= last == NOW + timedelta(days=within)


def test_colleagues_are_named_by_what_stands_before_the_at_unless_two_share_it() -> None:
    assert rep_names(["Luis@acme.example", "info@acme.example", "info@other.example"]) == {
        "luis": "Luis@acme.example",
        "info-at-acme.example": "info@acme.example",
        "info-at-other.example": "info@other.example",
    }


def test_a_wording_is_named_by_its_text() -> None:
    assert version_of("Yes.") == version_of("Yes.") != version_of("Yes!")
    assert len(version_of("Yes.")) == 16
