"""`nurture consent`, as somebody types it: the ledger, a yes and a no on paper, the table and how it changed."""

from tests.support.terminals import Terminal

DE_ROW = """
  - {country: [DE], who: company, basis: [met], then: announce, law: "UWG § 7(2)", checked_on: 2026-11-01,
     because: "counsel, letter of 3 November"}
"""


def add_both(terminal: Terminal) -> None:
    """Ana opted in, in the US; of Bea, in Germany, we know nothing."""
    terminal.type("contacts", "add", "ana@reader.example", "--country", "US", "--consent", "opt-in")
    terminal.type("contacts", "add", "bea@gmail.com", "--country", "DE")


def test_the_ledger_of_an_address_says_what_was_agreed_how_and_whether_mail_may_go(terminal: Terminal) -> None:
    add_both(terminal)
    terminal.type(
        "consent", "give", "bea@gmail.com", "--basis", "opt-in", "--on", "2026-01-05", "--how", "a letter",
        "--wording", "Yes, write to me.", "--tracking", "last_open_date",
    )  # fmt: skip
    bea = terminal.json("consent", "show", "bea@gmail.com")
    [topic] = bea["topics"]
    assert (topic["topic"], topic["may_send"], topic["basis"], topic["law"]) == ("insights", True, "opt-in", "consent")
    assert topic["tracking"] == "last_open_date"
    mail, tracking = bea["ledger"]
    assert (mail["what"], mail["basis"], mail["given_on"], mail["how"]) == ("given", "opt-in", "2026-01-05", "a letter")
    assert mail["wording"] == "Yes, write to me."
    assert mail["said_by"], "who typed it"
    assert (tracking["purpose"], tracking["what"], tracking["topic"]) == ("tracking", "last_open_date", None)
    out, _ = terminal.type("consent", "show", "bea@gmail.com")
    assert "insights: may be mailed, as opt-in (consent); only the date of the last open is kept" in out
    assert "shown “Yes, write to me.”" in out


def test_a_yes_on_paper_brings_nobody_back_who_said_no_and_replaces_no_better_one(terminal: Terminal) -> None:
    add_both(terminal)
    give = ("consent", "give", "ana@reader.example", "--how", "a call", "--basis")
    assert "has a better basis already: opt-in" in terminal.refused(*give, "met")
    terminal.type("consent", "withdraw", "ana@reader.example", "--topic", "insights", "--how", "a letter")
    assert "left this topic. Nobody but they can take that back" in terminal.refused(*give, "double-opt-in")
    terminal.type("consent", "withdraw", "ana@reader.example", "--how", "a letter")
    assert "opted out on" in terminal.refused(*give, "double-opt-in")
    what = [one["what"] for one in terminal.json("consent", "show", "ana@reader.example")["ledger"]]
    assert what == ["given", "withdrawn", "opted_out"]
    out, _ = terminal.type("consent", "withdraw", "ana@reader.example", "--how", "a letter")
    assert "It was like this already" in out


def test_tracking_is_taken_back_alone_and_mail_goes_on(terminal: Terminal) -> None:
    add_both(terminal)
    out, _ = terminal.type("consent", "withdraw", "ana@reader.example", "--tracking", "--how", "a letter")
    assert out.strip() == "Nothing they do with our mails is recorded."
    [topic] = terminal.json("consent", "show", "ana@reader.example")["topics"]
    assert (topic["may_send"], topic["tracking"]) == (True, "none")


def test_what_makes_no_sense_is_refused_in_a_sentence(terminal: Terminal) -> None:
    add_both(terminal)
    give = ("consent", "give", "ana@reader.example", "--how", "a call")
    assert "say what they agreed to" in terminal.refused(*give)
    assert 'Did you mean "customer"' in terminal.refused(*give, "--basis", "costumer")
    assert 'Did you mean "full"' in terminal.refused(*give, "--tracking", "ful")
    assert "is no date" in terminal.refused(*give, "--basis", "opt-in", "--on", "yesterday")
    assert "has not come yet" in terminal.refused(*give, "--basis", "opt-in", "--on", "2999-01-01")


def test_of_an_address_that_is_no_contact_only_the_ledger_is_left(terminal: Terminal) -> None:
    terminal.type("opt-out", "eve@reader.example")
    eve = terminal.json("consent", "show", "eve@reader.example")
    assert (eve["is_contact"], [one["what"] for one in eve["ledger"]]) == (False, ["opted_out"])
    out, _ = terminal.type("consent", "show", "eve@reader.example")
    assert "eve@reader.example is no contact" in out


def test_the_table_says_what_holds_in_a_country_by_which_law_and_that_it_is_no_advice(terminal: Terminal) -> None:
    (terminal.workspace / "campaigns" / "consent.yaml").unlink()  # by the one that nurture ships
    out, _ = terminal.type("consent", "table")
    assert "CAN-SPAM Act" in out
    assert "the rest of the EEA" in out
    assert "2026-11-22" in out
    assert "is not legal advice" in out
    gb = terminal.json("consent", "table", "--country", "gb")
    said = {(one["basis"], one["who"]): one["says"] for one in gb["rows"]}
    assert said["met", "person"] == "ask"
    assert said["met", "company"] == "announce"
    assert said["customer", None] == "announce"
    assert gb["is_listed"]
    assert "not legal advice" in gb["note"]
    out, _ = terminal.type("consent", "table", "--country", "Brazil")
    assert "BR has no row of its own, so the strictest decides." in out
    assert "is no country" in terminal.refused("consent", "table", "--country", "Narnia")


def test_a_row_is_changed_with_a_reason_that_is_kept_and_judges_everybody_again(terminal: Terminal) -> None:
    place = terminal.workspace / "campaigns" / "consent.yaml"
    terminal.type("publish")
    before = terminal.json("consent", "changes")
    assert {one["because"] for one in before} == {"a test"}, "what this workspace began with differs from the starter"
    terminal.type("contacts", "add", "cal@reader.example", "--country", "DE", "--consent", "met")
    assert not terminal.json("contacts", "show", "cal@reader.example")["mailable"]
    text = place.read_text(encoding="utf-8")
    place.write_text(text.replace("rows:\n", f"rows:{DE_ROW}", 1), encoding="utf-8")
    terminal.type("publish")
    [change] = terminal.json("consent", "changes")[len(before) :]
    assert (change["country"], change["who"], change["basis"]) == ("DE", "company", "met")
    assert (change["before"], change["after"], change["because"]) == (
        "never", "announce", "counsel, letter of 3 November",
    )  # fmt: skip
    assert change["published_by"]
    terminal.type("run", "--once")
    assert terminal.json("contacts", "show", "cal@reader.example")["mailable"], "judged again"


def test_a_row_that_differs_without_a_reason_is_not_published(terminal: Terminal) -> None:
    place = terminal.workspace / "campaigns" / "consent.yaml"
    place.write_text(place.read_text(encoding="utf-8").replace(", because: a test", ""), encoding="utf-8")
    out, _ = terminal.type("check", code=1)
    assert "where the table of nurture says" in out
    assert "[NS411]" in out


def test_a_no_about_a_topic_nobody_asked_them_about_is_kept(terminal: Terminal) -> None:
    terminal.type("contacts", "add", "ana@reader.example", "--country", "US")
    terminal.type("opt-out", "ana@reader.example", "--topic", "insights")
    no = terminal.refused("consent", "give", "ana@reader.example", "--how", "a call", "--basis", "opt-in")
    assert "left this topic" in no


def test_the_ledger_takes_no_address_for_it_outlives_the_person(terminal: Terminal) -> None:
    add_both(terminal)
    ana = "ana@reader.example"
    give = ("consent", "give", ana, "--basis", "double-opt-in", "--how")
    assert "--how names an address" in terminal.refused(*give, f"a letter from {ana}")
    assert "--wording names an address" in terminal.refused(
        *give, "a letter", "--wording", f"Yes, write to {ana.upper()}."
    )
    assert "--how names an address" in terminal.refused("consent", "withdraw", ana, "--how", f"{ana} called")
    assert [one["what"] for one in terminal.json("consent", "show", ana)["ledger"]] == ["given"]
