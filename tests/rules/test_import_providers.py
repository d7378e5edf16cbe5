"""Exports of other systems: known by their headers, with what their own columns and the whole file say."""

from datetime import date
from pathlib import Path

import pytest

from nurture.conditions import FieldType
from nurture.consent.exports import export_headers
from nurture.consent.rules import Basis
from nurture.consent.statements import Statement, read_statement
from nurture.consent.suppressions.rules import SuppressionReason
from nurture.contacts.fields import DeclaredField
from nurture.contacts.imports import ImportRow, Past, Survey, read_rows, survey
from nurture.contacts.providers import find_export

TODAY = date(2026, 3, 10)
DECLARED = {"industry": DeclaredField("industry", FieldType.TEXT, "Industry")}

MAILCHIMP = (
    "Email Address,First Name,MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,CONFIRM_IP,GMTOFF,DSTOFF,TIMEZONE,CC,REGION,"
)  # fmt: skip
SUBSCRIBED = MAILCHIMP + "LAST_CHANGED,LEID,EUID,NOTES,TAGS"
UNSUBSCRIBED = (
    MAILCHIMP + "UNSUB_TIME,UNSUB_CAMPAIGN_TITLE,UNSUB_CAMPAIGN_ID,UNSUB_REASON,UNSUB_REASON_OTHER,LEID,EUID,NOTES,TAGS"
)
CLEANED = MAILCHIMP + "CLEAN_TIME,CLEAN_CAMPAIGN_TITLE,CLEAN_CAMPAIGN_ID,LEID,EUID,NOTES,TAGS"
HUBSPOT = (
    '"Record ID","First Name","Email","Contact owner","Lifecycle Stage","Marketing contact status",'
    '"Unsubscribed from all email","Email hard bounce reason","Opted out of email: One to One",'
    '"Legal basis for processing contact\'s data","Last marketing email open date","Last Activity Date (EDT)",'
    '"Marketing emails bounced","Contact unworked","Became a marketing qualified lead date"'
)


class Reader:
    """Reads files and what each of their rows says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, name: str, *lines: str) -> tuple[Survey, list[tuple[ImportRow, Statement]]]:
        path = self.folder / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        found = survey(path, DECLARED)
        rows = [row for row in read_rows(found, DECLARED) if isinstance(row, ImportRow)]
        return found, [(row, read_statement(row, TODAY)) for row in rows]


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


def title(found: Survey) -> str:
    return found.columns.export.title if found.columns.export else ""


def remark(found: Survey) -> str:
    return found.columns.export.remark if found.columns.export else ""


def test_who_subscribed_at_mailchimp_comes_in_with_the_day_and_the_ip_of_the_confirmation(read: Reader) -> None:
    found, people = read(
        "subscribed_members_export_4f2.csv",
        SUBSCRIBED,
        'ana@reader.example,Ana,4,"2023-02-03 10:11:12",192.0.2.1,"2023-02-05 10:12:00",192.0.2.1,1,2,Europe/Berlin,DE,BE,'
        '"2024-01-01 00:00:00",1,a1,,"""VIP"",""Webinar, May"""',
    )
    (row, said), *_ = people
    assert title(found) == "a Mailchimp export of subscribed contacts"
    assert said.bases == ((Basis.OPT_IN, date(2023, 2, 5)),)
    assert said.ip == "192.0.2.1"
    assert row.tags == ("VIP", "Webinar, May")
    assert row.values == {"first_name": "Ana", "timezone": "Europe/Berlin", "country": "DE"}
    assert not found.columns.unknown


@pytest.mark.parametrize(
    ("header", "of", "reason"),
    [
        (UNSUBSCRIBED, "unsubscribed", SuppressionReason.OPT_OUT),
        (CLEANED, "cleaned", SuppressionReason.HARD_BOUNCE),
    ],
)
def test_in_mailchimps_files_of_those_who_left_every_row_is_a_no(
    read: Reader, header: str, of: str, reason: SuppressionReason
) -> None:
    found, people = read("export.csv", header, "ana@reader.example,Ana,2,,,,,,,,,")
    assert title(found) == f"a Mailchimp export of {of} contacts"
    assert people[0][1].suppressions == {reason}
    assert not people[0][1].bases


def test_a_mailchimp_file_that_could_be_of_people_who_never_subscribed_proves_no_consent(read: Reader) -> None:
    found, people = read("audience.csv", SUBSCRIBED, 'ana@reader.example,Ana,2,,,"2023-02-05 10:12:00",,,,,,,,1,a1,,')
    assert people[0][1].is_silent
    assert people[0][1].given_on == date(2023, 2, 5)
    assert "add --consent opt-in" in remark(found)
    found, people = read("nonsubscribed_members_export.csv", SUBSCRIBED, "ana@reader.example,Ana,2,,,,,,,,,,,1,a1,,")
    assert title(found) == "a Mailchimp export of non-subscribed contacts"
    assert not people[0][1].is_silent
    assert not people[0][1].bases


def test_in_one_mailchimp_file_for_all_the_status_of_each_row_counts(read: Reader) -> None:
    found, people = read(
        "subscribed.csv",
        "Email Address,STATUS,OPTIN_TIME,LEID,EUID,UNSUB_TIME",
        "ana@reader.example,subscribed,2023-02-05,1,a,",
        "bea@reader.example,unsubscribed,2023-02-05,2,b,2024-01-01",
        "cal@reader.example,cleaned,,3,c,",
        "dan@reader.example,pending,2023-02-05,4,d,",
        "eva@reader.example,inactive,2023-02-05,4,d,",
    )
    assert title(found) == "a Mailchimp export"
    assert [bool(said.bases) for _, said in people] == [True, False, False, False, False]
    assert [set(said.suppressions) for _, said in people] == [
        set(), {SuppressionReason.OPT_OUT}, {SuppressionReason.HARD_BOUNCE}, set(), set(),
    ]  # fmt: skip


def test_hubspot_tells_who_left_who_is_dead_what_was_refused_and_what_is_past(read: Reader) -> None:
    found, people = read(
        "hubspot-crm-exports-all.csv",
        HUBSPOT,
        '1,Ana,ana@reader.example,,Lead,Marketing contact,,,,"Freely given consent from contact",'
        '"2025-06-01 08:00","2025-07-02 08:00",2,True,',
        "2,Bea,bea@reader.example,,Lead,Non-marketing contact,true,,,,,,,,",
        "3,Cal,cal@reader.example,,Lead,Marketing contact,,UNKNOWN_USER,,,,,,,",
        "4,Dan,dan@reader.example,,Lead,Marketing contact,false,,true,,,,,,",
        "5,Eva,eva@reader.example,,Lead,Non-marketing contact,false,,false,,,,,,",
    )
    rows, said = zip(*people, strict=True)
    assert title(found) == "a HubSpot export"
    assert rows[0].past == Past(last_open_on=date(2025, 6, 1), last_contact_on=date(2025, 7, 2), bounces=2)
    assert said[0].bases == ((Basis.OPT_IN, None),)
    assert said[1].suppressions == {SuppressionReason.OPT_OUT}
    assert said[2].suppressions == {SuppressionReason.HARD_BOUNCE}
    assert said[3].is_no
    assert not said[3].suppressions
    assert not said[4].is_silent
    assert not said[4].bases


def test_hubspots_list_of_those_who_left_has_a_column_for_each_kind_of_mail(read: Reader) -> None:
    found, people = read(
        "unsubscribes.csv",
        "Email,Portal Bounce,Portal Unsubscribe,Portal Spam Report,Global Bounce,Marketing Information,Product tips",
        "ana@reader.example,FALSE,FALSE,FALSE,FALSE,FALSE,TRUE",
        "bea@reader.example,FALSE,FALSE,TRUE,FALSE,FALSE,FALSE",
        "cal@reader.example,TRUE,FALSE,FALSE,FALSE,FALSE,FALSE",
    )
    assert title(found) == "a HubSpot export of unsubscribes and bounces"
    assert people[0][1].is_no
    assert people[1][1].suppressions == {SuppressionReason.COMPLAINT}
    assert people[2][1].suppressions == {SuppressionReason.HARD_BOUNCE}


def test_salesforce_tells_who_opted_out_and_which_address_bounced_and_a_fax_is_no_mail(read: Reader) -> None:
    found, people = read(
        "contacts.csv",
        "Id,FirstName,Email,AccountId,MailingCountry,HasOptedOutOfEmail,HasOptedOutOfFax,DoNotCall,EmailBouncedDate,"
        "EmailBouncedReason,LastActivityDate,LeadSource,JigsawContactId",
        "1,Ana,ana@reader.example,7,Germany,0,1,1,,,2025-05-05,Trade Show,",
        "2,Bea,bea@reader.example,7,,1,0,0,,,,,",
        "3,Cal,cal@reader.example,7,,false,0,0,2024-01-01T00:00:00.000Z,550 no such user,,,",
    )
    assert title(found) == "a Salesforce export"
    assert people[0][0].values == {"first_name": "Ana", "country": "DE", "source": "trade show"}
    assert people[0][0].past == Past(last_contact_on=date(2025, 5, 5))
    assert [set(said.suppressions) for _, said in people] == [
        set(), {SuppressionReason.OPT_OUT}, {SuppressionReason.HARD_BOUNCE},
    ]  # fmt: skip


def test_a_salesforce_report_without_the_column_that_tells_says_so(read: Reader) -> None:
    found, _ = read("report.csv", "Email,Account Name,Lead Source,Mailing Country,Title", "ana@reader.example,,,,")
    assert "add the column in Salesforce and export again" in remark(found)  # fmt: skip


def test_attributes_without_an_end_are_none(read: Reader) -> None:
    headers = "uuid,email,name,attributes,status,created_at"
    _, people = read("subscribers.csv", headers, f"1,ana@reader.example,Ana,{'[' * 50_000},enabled,2025-05-05")
    assert [note.what for note in people[0][0].notes] == ["no JSON; left out"]


def test_listmonk_keeps_the_fields_of_its_attributes_and_its_status_is_no_consent(read: Reader) -> None:
    found, people = read(
        "subscribers.csv",
        "uuid,email,name,attributes,status,created_at,updated_at",
        '1,ana@reader.example,Ana Ruiz,"{""country"": ""DE"", ""industry"": ""Steel"", ""shoe"": 43, ""x"": {""y"": 1}}",'
        "enabled,2024-03-01T10:00:00Z,2024-03-01T10:00:00Z",
        "2,bea@reader.example,Bea,{},blocklisted,2024-03-01T10:00:00Z,",
        "3,cal@reader.example,Cal,not json,disabled,,",
        '4,dan@reader.example,Dan,"{""gdpr_unsubscribed"": true}",enabled,,',
    )
    rows, said = zip(*people, strict=True)
    assert title(found) == "a listmonk export"
    assert rows[0].values == {"country": "DE", "industry": "Steel", "first_name": "Ana", "last_name": "Ruiz"}
    assert {note.value for note in rows[0].notes} == {"shoe", "x"}
    assert said[0] == Statement(given_on=date(2024, 3, 1))
    assert said[1].suppressions == {SuppressionReason.MANUAL}
    assert not said[2].is_silent
    assert rows[2].notes[0].what == "no JSON; left out"
    assert not said[3].is_silent
    assert not said[3].bases


def test_mautic_leaves_out_who_must_not_be_contacted_and_a_report_with_the_column_does_not(read: Reader) -> None:
    found, people = read(
        "contacts.csv",
        "id,title,firstname,lastname,email,position,points,stage,last_active,preferred_locale",
        '7,Mr,Ana,Ruiz,ana@reader.example,Buyer,12,,"2025-04-01 10:00:00",de',
    )
    assert "nobody can tell who left" in remark(found)
    assert people[0][0].values == {"first_name": "Ana", "last_name": "Ruiz", "job_title": "Buyer", "language": "de"}
    assert people[0][0].past == Past(last_open_on=date(2025, 4, 1))
    found, people = read(
        "report.csv",
        "firstname,lastname,email,points,stage,dnc",
        "Ana,Ruiz,ana@reader.example,1,,unsubscribed",
        "Bea,Ruiz,bea@reader.example,1,,0",
        "Cal,Ruiz,cal@reader.example,1,,bounced",
    )
    assert not remark(found)
    assert [set(said.suppressions) for _, said in people] == [
        {SuppressionReason.OPT_OUT}, set(), {SuppressionReason.HARD_BOUNCE},
    ]  # fmt: skip


def test_a_file_of_ones_own_is_nobodys_export() -> None:
    assert find_export(["email", "first_name", "company", "country", "opted_in"]) is None
    assert find_export(["Email", "Name", "Status", "Created at"]) is None
    assert find_export(["First name", "Last name", "Email", "Title", "Stage", "Points"]) is None
    assert find_export(export_headers(DECLARED)) is None


def test_the_latest_of_several_days_counts_and_one_to_come_does_not() -> None:
    past = Past(last_open_on=date(2025, 1, 1), bounces=1).and_later(Past(last_open_on=date(2025, 2, 1)))
    assert past == Past(last_open_on=date(2025, 2, 1), bounces=1)
    assert past.last_sign_on == date(2025, 2, 1)
    assert past.until(date(2025, 1, 15)) == Past(bounces=1)
