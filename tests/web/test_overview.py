"""The overview: what waits, what goes out next, what became of the last weeks, with how sure the numbers are."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from nurture.consent.suppressions.actions import opt_out
from nurture.database.engine import Database
from nurture.database.installation import pause
from nurture.delivery.rules import Status
from nurture.handoff.tasks import add_task
from nurture.reports import queries
from nurture.reports.charts import draw_weeks
from nurture.reports.overview import Overview, look
from nurture.reports.queries import Week
from nurture.timing import parse_duration
from nurture.tracking.rules import ActivityKind, Actor
from tests.web.busy import FILES, add_hits, add_lead, add_mails, enroll, live_through_eight_weeks
from tests.web.houses import House, running_house, words


@pytest.fixture
def office(database: Database, tmp_path: Path, now: datetime) -> Iterator[House]:
    """A house that shows the overview, with a sequence and a newsletter published."""
    with running_house(tmp_path / "house", database.url, now, shows_overview=True, files=FILES) as made:
        yield made


def overview(house: House) -> Overview:
    with house.app.database.reading() as session:
        return look(session, house.clock.now())


def ago(house: House, **length: float) -> datetime:
    return house.clock.now() - timedelta(**length)


def test_an_empty_house_says_what_would_fill_it(office: House) -> None:
    page = words(office.http.get("/"))
    assert page.startswith("Nothing waits for you Nothing waits for you")  # title and heading
    assert "Whoever crosses the line of scoring.yaml" in page
    assert "No mail has left in these weeks." in page
    assert "None: no mail is held, uncertain or failed." in page
    assert "Times are in Europe/Berlin." in page


def test_the_title_counts_the_leads(office: House) -> None:
    now = office.clock.now()
    for number in range(3):
        contact = office.add_contact(f"lead{number}@reader.example", first_name="Ana", company="Northwind <GmbH>")
        add_lead(office, contact, now + timedelta(hours=number, minutes=12), because="Yes, show me")
        many = "1 lead is waiting for you" if number == 0 else f"{number + 1} leads are waiting for you"
        assert words(office.http.get("/")).startswith(many)
    page = words(office.http.get("/"))
    assert "Asked for a demonstration“Yes, show me”" in page
    assert "due in 12 min" in page
    assert "due in 1 h 12 min" in page
    assert "Northwind <GmbH>" in page


def test_tasks_stand_below_the_leads_the_most_urgent_first(office: House) -> None:
    assert "To do" not in words(office.http.get("/"))
    contact = office.add_contact(first_name="Ana", last_name="Sample")
    with office.app.database.writing() as session:
        for number, due_after in ((1, "5 days"), (2, "1 hour")):
            add_task(
                session, key=f"task {number}", contact=contact, what=f"Call them <{number}>",
                due_after=parse_duration(due_after), because="welcome, step call", now=office.clock.now(),
            )  # fmt: skip
    page = words(office.http.get("/"))
    assert page.index("Call them <2>") < page.index("Call them <1>")
    assert "welcome, step call" in page
    assert "Dana Reed" in page
    assert "ana@reader.example" not in page


def test_a_lead_that_is_late_says_by_how_much_and_stands_first(office: House) -> None:
    now = office.clock.now()
    add_lead(office, office.add_contact("early@reader.example", first_name="Early"), now + timedelta(days=3))
    add_lead(office, office.add_contact("late@reader.example", first_name="Late"), now - timedelta(hours=3))
    page = words(office.http.get("/"))
    assert "overdue by 3 h" in page
    assert page.index("Late") < page.index("Early")


def test_opens_and_clicks_count_people_and_have_the_tracked_mails_as_their_base(office: House) -> None:
    people = [office.add_contact(f"reader{number}@reader.example") for number in range(44)]
    mails = add_mails(office, people[:40], ago(office, days=2))
    add_mails(office, people[40:], ago(office, days=2), tracked=False)
    at = ago(office, days=1)
    add_hits(office, mails[:10], ActivityKind.OPENED, at)
    add_hits(office, mails[:10], ActivityKind.OPENED, at)  # looked at twice is one mail opened
    add_hits(office, mails[:4], ActivityKind.CLICKED, at)
    add_hits(office, mails[20:], ActivityKind.OPENED, at, Actor.PROXY)
    add_hits(office, mails[30:], ActivityKind.CLICKED, at, Actor.SCANNER)
    add_hits(office, mails[12:15], ActivityKind.CLICKED, at, Actor.UNSETTLED)
    last = overview(office).last_weeks
    assert (last.mails, last.people, last.tracked, last.opened, last.clicked) == (44, 44, 40, 10, 4)
    assert (last.machine_opens, last.machine_clicks, last.unsettled) == (20, 10, 3)
    page = words(office.http.get("/"))
    assert "25.0 % (14.2–40.2 %), 10 of 40 tracked mails; 4 are not tracked" in page
    assert "Machines, not counted: 20 opens and 10 clicks." in page
    assert "Waiting for their verdict, not counted either: 3 hits." in page


def test_under_thirty_it_is_too_few_to_tell(office: House) -> None:
    people = [office.add_contact(f"reader{number}@reader.example") for number in range(3)]
    mails = add_mails(office, people, ago(office, days=2))
    add_hits(office, mails[:1], ActivityKind.OPENED, ago(office, days=1))
    assert "1 of 3 (too few to tell) tracked mails; 0 are not tracked" in words(office.http.get("/"))


def test_what_is_older_than_four_weeks_or_never_left_is_not_counted(office: House) -> None:
    people = [office.add_contact(f"reader{number}@reader.example") for number in range(2)]
    add_mails(office, people, ago(office, days=28, minutes=1))
    add_mails(office, people, ago(office, days=3), status=Status.REFUSED)
    add_mails(office, people, ago(office, days=3), purpose="service")
    add_mails(office, people, ago(office, days=3), status=Status.BOUNCED)
    assert overview(office).last_weeks.mails == 2


def test_those_who_left_are_counted_once_among_those_who_were_mailed(office: House) -> None:
    people = [office.add_contact(f"reader{number}@reader.example") for number in range(3)]
    add_mails(office, people[:2], ago(office, days=5))
    add_mails(office, people[:2], ago(office, days=4))
    with office.app.database.writing() as session:
        for contact in people:
            opt_out(session, contact.address_hash, how="page", now=ago(office, days=1))
    last = overview(office).last_weeks
    assert (last.left, last.people) == (2, 2)


def test_weeks_begin_on_the_monday_of_the_house(office: House, now: datetime) -> None:
    people = [office.add_contact(f"reader{number}@reader.example") for number in range(2)]
    sunday_night = datetime(2026, 3, 8, 23, 30, tzinfo=UTC)  # half past midnight on Monday in Berlin
    mails = add_mails(office, people, sunday_night)
    add_hits(office, mails[:1], ActivityKind.CLICKED, sunday_night + timedelta(minutes=20))
    add_hits(office, mails, ActivityKind.CLICKED, sunday_night, Actor.SCANNER)
    with office.app.database.reading() as session:
        berlin = queries.list_weeks(session, now, ZoneInfo("Europe/Berlin"), 2)
        utc = queries.list_weeks(session, now, ZoneInfo("UTC"), 2)
    assert berlin == [Week(date(2026, 3, 2), 0, 0), Week(date(2026, 3, 9), 2, 1)]
    assert utc == [Week(date(2026, 3, 2), 2, 1), Week(date(2026, 3, 9), 0, 0)]


def test_what_goes_out_next_says_when_and_to_how_many(office: House) -> None:
    people = [office.add_contact(f"reader{number}@reader.example") for number in range(12)]
    waiting: dict[str, Any] = {"status": Status.QUEUED, "attempted_at": None, "settled_at": None}
    add_mails(office, people[:8], ago(office, days=0), due_at=office.clock.now() + timedelta(hours=4), **waiting)
    announced: dict[str, Any] = {"campaign": "newsletter:weekly", "mail": "announcement"}
    add_mails(office, people[:5], ago(office, days=9), **announced)  # may have the issue of the 17th
    add_mails(office, people[5:7], ago(office, minutes=30), **announced)  # five working days are not over by then
    with office.app.database.writing() as session:
        opt_out(session, people[0].address_hash, how="page", now=office.clock.now())
    first, second = overview(office).upcoming
    assert (first.what, first.people) == ("Evaluators of the report: report", 8)
    assert (second.what, second.people) == ("The weekly, issue 1", 4)
    assert second.due_at == datetime(2026, 3, 17, 8, 0, tzinfo=UTC)
    page = words(office.http.get("/"))
    assert "Evaluators of the report: report Tue 10 Mar, 14:00in 4 h 8 people" in page
    assert "The weekly, issue 1 Tue 17 Mar, 09:00in 7 days 4 people" in page


def test_a_newsletter_without_an_issue_that_is_ready_says_so(database: Database, tmp_path: Path, now: datetime) -> None:
    files = {name: text.replace("ready: true", "ready: false") for name, text in FILES.items()}
    with running_house(tmp_path / "house", database.url, now, shows_overview=True, files=files) as house:
        assert "The weekly: no issue is ready" in words(house.http.get("/"))
        assert "nobody yet" in words(house.http.get("/"))


def test_sequences_show_where_people_stand_in_the_order_of_the_file(office: House) -> None:
    people = [office.add_contact(f"reader{number}@reader.example") for number in range(12)]
    now = office.clock.now()
    enroll(office, people[:4], "second")
    enroll(office, people[4:7], "think")
    enroll(office, people[7:8], "retired-step")
    enroll(office, people[8:9], None)
    enroll(office, people[9:10], None, status="finished", ended_at=now)
    enroll(office, people[10:12], "think", status="exited", exit_reason="replied", ended_at=now)
    (sequence,) = overview(office).sequences
    assert [(step.step, step.waits_for, step.people) for step in sequence.steps] == [
        ("start", "its first step", 1),
        ("think", "3 days to pass", 3),
        ("second", "its mail to leave", 4),
        ("retired-step", "a step of an earlier version", 1),
    ]
    assert (sequence.on_the_way, sequence.finished, sequence.exits) == (9, 1, (("replied", 2),))


def test_mail_that_stands_still_is_named_with_its_reason_the_worst_first(office: House) -> None:
    people = [office.add_contact(f"reader{number}@reader.example") for number in range(6)]
    at = ago(office, days=1)
    add_mails(office, people[:3], at, status=Status.HELD, because="cap", held_until=at + timedelta(days=2))
    add_mails(office, people[3:4], at, status=Status.UNCERTAIN, because="the relay never answered the final dot")
    add_mails(office, people[4:5], at, status=Status.FAILED, because="the relay refused it")
    add_mails(office, people[5:], ago(office, days=40), status=Status.FAILED, because="long ago")
    found = [(one.status, one.because, one.count, one.until) for one in overview(office).troubles]
    assert found == [
        ("failed", "the relay refused it", 1, None),
        ("uncertain", "the relay never answered the final dot", 1, None),
        ("held", "cap", 3, at + timedelta(days=2)),
    ]
    page = words(office.http.get("/"))
    assert "Held these people had enough mail from us for now 3 Wed 11 Mar, 10:00" in page


def test_a_pause_is_said_first(office: House) -> None:
    with office.app.database.writing() as session:
        pause(session, because="somebody typed nurture pause", now=office.clock.now())
    assert "Sending is paused: somebody typed nurture pause." in words(office.http.get("/"))


def test_the_page_needs_no_cookie_and_shows_no_address(office: House) -> None:
    live_through_eight_weeks(office)
    answer = office.http.get("/")
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert "@reader.example" not in answer.text


def test_it_is_not_shown_unless_somebody_asked_for_it(lite: House) -> None:
    assert words(lite.http.get("/")).startswith("Nothing to see at this address")


def test_the_plot_is_whole_labelled_and_told_in_words() -> None:
    weeks = [Week(date(2026, 2, 16), 1200, 3), Week(date(2026, 2, 23), 0, 0), Week(date(2026, 3, 2), 300, 41)]
    root = ET.fromstring(draw_weeks(weeks))
    assert root.find("title").text == "Mails and clicks by people, week by week"  # type: ignore[union-attr]  # it is there
    told = root.find("desc").text  # type: ignore[union-attr]  # it is there
    assert told == (
        "In 3 weeks 1,500 mails were sent and people clicked 44 times. The most clicks came in the week of 2 March: 41."
    )
    texts = [text.text for text in root.iter("text")]
    assert texts == [
        "Mails sent",
        "1.2k",
        "0",
        "300",
        "Clicks by people",
        "3",
        "0",
        "41",
        "16",
        "Feb",
        "23",
        None,
        "2",
        "Mar",
    ]
    heights = [float(bar.get("height", "")) for bar in root.iter("rect")]
    assert heights == [72.0, 0.0, 18.0, 5.3, 0.0, 72.0]
    assert not any("style" in element.attrib for element in root.iter())


def test_a_plot_of_nothing_says_so() -> None:
    root = ET.fromstring(draw_weeks([Week(date(2026, 2, 16), 0, 0)]))
    assert root.find("desc").text == "No mail was sent in these weeks."  # type: ignore[union-attr]  # it is there
