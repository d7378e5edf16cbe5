"""A TOML file is changed one line at a time, and nothing else in it."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.errors import BadSettings
from nurture.toml.editing import Value, put, put_entry, written

FILE = """\
# What this is for.
[smtp]
host = "127.0.0.1"   # the relay
ports = [
  25, # the old one
  587,
]          # both
note = "a # is no comment"  # but this is

[web]
host = "0.0.0.0"

[[topics]]
name = "news"

[[topics]]
name = "offers"
label = "Offers"
"""


def test_a_value_changes_and_its_comment_stays_where_it_was() -> None:
    after = put(FILE, ("smtp", "host"), "mail.acme.example", file="settings.toml")
    assert after.splitlines()[2] == 'host = "mail.acme.example" # the relay'
    assert after.splitlines()[:2] + after.splitlines()[3:] == FILE.splitlines()[:2] + FILE.splitlines()[3:]
    short = put(FILE, ("smtp", "host"), "a.example", file="settings.toml")
    assert short.splitlines()[2] == 'host = "a.example"   # the relay'


def test_a_sign_inside_of_a_text_is_no_comment() -> None:
    after = put(FILE, ("smtp", "note"), "b", file="settings.toml")
    assert after.splitlines()[7] == 'note = "b"                  # but this is'


def test_a_value_of_several_lines_becomes_one() -> None:
    after = put(FILE, ("smtp", "ports"), 465, file="settings.toml")
    assert after.splitlines()[3:5] == ["ports = 465 # both", 'note = "a # is no comment"  # but this is']


@pytest.mark.parametrize(
    "last", ['"b.example",  # the old one', '"b.example"  # the "old", one', '"b#,.example"', '"b.example" ,']
)
def test_a_list_of_several_lines_grows_by_a_line_and_keeps_its_comments(last: str) -> None:
    before = (
        f'[senders]\ndomains = [\n    "a.example",  # the main one\n    # and\n    {last}\n    # no more\n]  # ours\n'
    )
    there = tomllib.loads(before)["senders"]["domains"]
    after = put(before, ("senders", "domains"), [*there, "c.example"], file="settings.toml")
    assert tomllib.loads(after)["senders"]["domains"] == [*there, "c.example"]
    for comment in ("# the main one", "# and", "# no more", "# ours"):
        assert comment in after
    assert '    "c.example",\n]  # ours\n' in after
    assert len(after.splitlines()) == len(before.splitlines()) + 1


def test_a_new_key_goes_below_its_section_and_not_into_the_next() -> None:
    after = put(FILE, ("smtp", "username"), "dana", file="settings.toml")
    assert after.splitlines()[8] == 'username = "dana"'
    assert tomllib.loads(after)["web"] == {"host": "0.0.0.0"}


def test_a_section_that_is_not_there_is_added_at_the_end() -> None:
    after = put(FILE, ("sending", "per_second"), 14.0, file="settings.toml")
    assert after == FILE + "\n[sending]\nper_second = 14\n"


def test_a_value_can_be_taken_away() -> None:
    assert put(FILE, ("web", "host"), None, file="settings.toml") == FILE.replace('host = "0.0.0.0"\n', "")


def test_one_of_several_sections_is_found_by_its_name() -> None:
    after = put_entry(FILE, "topics", "news", {"label": "News"}, file="settings.toml")
    assert tomllib.loads(after)["topics"] == [{"name": "news", "label": "News"}, {"name": "offers", "label": "Offers"}]


def test_a_further_section_of_a_name_is_added() -> None:
    after = put_entry(FILE, "relays", "ses", {"port": 587, "headers": ["X-A: b"]}, file="settings.toml")
    assert after == FILE + '\n[[relays]]\nname = "ses"\nport = 587\nheaders = ["X-A: b"]\n'


def test_secrets_at_the_top_of_a_file_get_company() -> None:
    before = 'secret = "a"\n\n[relays.own]\npassword = "b"\n'
    after = put(before, ("relays", "ses", "password"), "c", file="secrets", dotted=True)
    assert after == 'secret = "a"\nrelays.ses.password = "c"\n\n[relays.own]\npassword = "b"\n'
    assert put(after, ("relays", "own", "password"), "d", file="secrets", dotted=True).endswith('password = "d"\n')
    assert put("", ("relays", "ses", "password"), "c", file="secrets", dotted=True) == 'relays.ses.password = "c"\n'


def test_line_ends_of_windows_stay() -> None:
    before = FILE.replace("\n", "\r\n")
    after = put(before, ("web", "host"), "::1", file="settings.toml")
    assert after == before.replace('"0.0.0.0"', '"::1"')


@pytest.mark.parametrize(
    "text", ['smtp = {host = "a"}\n', '"smtp".host = "a"\n[other]\n', "smtp.x = 1\nsmtp.host = 'a'\n"]
)
def test_what_is_written_in_another_way_is_changed_rightly_or_not_at_all(text: str) -> None:
    wanted = {**tomllib.loads(text), "smtp": {**tomllib.loads(text)["smtp"], "host": "b"}}
    try:
        assert tomllib.loads(put(text, ("smtp", "host"), "b", file="settings.toml")) == wanted
    except BadSettings as error:
        assert str(error).startswith("settings.toml: smtp.host stands there in a way that cannot be changed")


def test_a_list_in_the_place_of_sections_is_said() -> None:
    with pytest.raises(BadSettings, match=r"relays stands there as a value; write its entries as sections \[\[relays"):
        put_entry("relays = []\n", "relays", "ses", {"port": 1}, file="settings.toml")


_KEYS = st.sampled_from(["host", "port", "note", "x-y"])
_VALUES = st.one_of(
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20),
    st.integers(-(10**6), 10**6),
    st.booleans(),
    st.lists(st.text(max_size=5, alphabet=st.characters(exclude_categories=["Cs"])), max_size=3),
)


@given(st.lists(st.tuples(st.sampled_from(["smtp", "web", "links"]), _KEYS, _VALUES), max_size=8))
def test_whatever_is_put_is_read_again_and_nothing_else_changes(changes: list[tuple[str, str, Value]]) -> None:
    text, tree = FILE, tomllib.loads(FILE)
    for section, key, value in changes:
        text = put(text, (section, key), value, file="settings.toml")
        tree.setdefault(section, {})[key] = value
    assert tomllib.loads(text) == tree
    assert [line for line in text.splitlines() if line.startswith("#")] == ["# What this is for."]


@given(_VALUES)
def test_a_value_is_written_as_it_is_read(value: Any) -> None:
    assert tomllib.loads(f"x = {written(value)}")["x"] == value


def test_taking_away_what_is_not_there_changes_nothing() -> None:
    assert put(FILE, ("relays", "own", "password"), None, file="secrets", dotted=True) == FILE
    assert put(FILE, ("web", "port"), None, file="settings.toml") == FILE
