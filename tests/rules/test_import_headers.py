"""Column headers: known by many names, never guessed, and every column about permission is read."""

import pytest

from nurture.conditions import FieldType
from nurture.contacts.fields import DeclaredField
from nurture.contacts.headers import recognize, refuse_doubtful, without_address
from nurture.errors import BadInput

DECLARED = {
    "company_size": DeclaredField("company_size", FieldType.NUMBER, "Company size", ("employees", "headcount")),
    "branch": DeclaredField("branch", FieldType.TEXT, "Branch"),
}


@pytest.mark.parametrize(
    ("headers", "fields"),
    [
        ("Email Address,First Name,Last Name", "email,first_name,last_name"),
        ("E-Mail,Vorname,Nachname,Firma,Land", "email,first_name,last_name,company,country"),
        ("Courriel,Prénom,Nom,Société,Pays", "email,first_name,last_name,company,country"),
        ("Correo electrónico,Nombre,Apellidos,Empresa,País", "email,first_name,last_name,company,country"),
        ("EMAIL_ADDRESS,FNAME,LNAME,CC,TAGS", "email,first_name,last_name,country,tags"),
        ("email,Lead Source,Opted In,Owner,Job Title,Time Zone", "email,source,opted_in,owner,job_title,timezone"),
        ("email,Unsubscribed from all email,Legal basis,OPTIN_TIME,Status", "email,opted_out,basis,consent_on,status"),
        ("email,Employees,BRANCH,Company Size ", "email,company_size,branch"),
    ],
)
def test_headers_are_known_in_four_languages_and_by_declaration(headers: str, fields: str) -> None:
    assert list(recognize(headers.split(","), DECLARED).fields.values()) == fields.split(",")


def test_a_column_nobody_knows_is_left_out_and_named() -> None:
    columns = recognize(["email", "Shoe size", "", "Phone"], DECLARED)
    assert columns.unknown == ("Shoe size", "Phone")
    assert columns.read_as() == {"email": "email"}


def test_of_two_columns_with_one_meaning_the_first_counts_and_the_other_is_named() -> None:
    columns = recognize(["email", "name", "name", "Full name"], {})
    assert columns.fields == {0: "email", 1: "name"}
    assert columns.doubled == (("name", "name"), ("Full name", "name"))


def test_every_column_about_permission_is_read() -> None:
    columns = recognize(["email", "Unsubscribed", "Opt-out", "OPTIN_TIME", "CONFIRM_TIME"], {})
    assert list(columns.fields.values()) == ["email", "opted_out", "opted_out", "consent_on", "consent_on"]
    assert columns.doubled == ()


def test_a_mapping_wins_over_what_is_recognized() -> None:
    columns = recognize(["Email", "Work mail", "Notes"], DECLARED, {"work MAIL": "email", "Notes": "branch"})
    assert columns.read_as() == {"Work mail": "email", "Notes": "branch"}
    assert columns.doubled == (("Email", "Work mail"),)


def test_a_mapping_may_leave_a_column_out() -> None:
    assert recognize(["email", "Status"], {}, {"Status": "-"}).read_as() == {"email": "email"}


def test_a_mapping_of_a_column_or_field_that_is_not_there_is_an_error() -> None:
    with pytest.raises(BadInput, match=r'the file has no such column\. Did you mean "Work mail"'):
        recognize(["Work mail"], {}, {"Wrok mial": "email"})
    with pytest.raises(BadInput, match=r'there is no field "first_nam"\. Did you mean "first_name"'):
        recognize(["email", "x"], {}, {"x": "first_nam"})


@pytest.mark.parametrize(
    ("headers", "sample", "advice"),
    [
        (["Contact details", "Town"], [["ana@reader.example", "Bonn"]], '--map "Contact details=email"'),
        (["E-Mial", "Town"], [], 'Did you mean "E-Mial"'),
        (["Town", "Street"], [["Bonn", "Main"]], 'Its columns: "Town", "Street". Name the one that does'),
        (["ana@reader.example", "Ana"], [], "the first line holds an address and no headers"),
    ],
)
def test_a_file_without_a_column_of_addresses_is_told_what_to_do(
    headers: list[str], sample: list[list[str]], advice: str
) -> None:
    assert advice in without_address(headers, sample)


NO_BY_OTHER_NAMES = {
    "opted_out": "Do not contact,Don't email,Do not allow Emails,Do not allow Bulk Emails,Opted out of email,"
    "Global unsubscribe,DNC,Robinson,Keine Werbung,Newsletter abgemeldet,Kontaktsperre,Ne pas contacter,Baja",
    "bounced": "Bounced,Email bounced,Hard bounce,Invalid email address,Unzustellbar,Rebotado",
    "complained": "Spam complaint,Marked as spam,Beschwerde",
    "blocked": "Blacklist,Blocked,GDPR erased,Deleted,Gesperrt,Liste noire",
    "allowed": "Newsletter,Mailing,Allow emails,Werbung erlaubt",
}


@pytest.mark.parametrize(
    ("header", "field"), [(header, field) for field, names in NO_BY_OTHER_NAMES.items() for header in names.split(",")]
)
def test_a_no_is_known_by_the_names_other_systems_give_it(header: str, field: str) -> None:
    assert recognize(["email", header], {}).read_as() == {"email": "email", header: field}


@pytest.mark.parametrize(
    "header",
    [
        "Opt status", "doNotEmailFlag", "Unsub code", "Bounce remark", "Is blocked by", "Blacklist note", "Contact me",
        "Spam score", "DNC since", "GDPR", "Erase on", "To delete", "Sperrgrund", "Werbung OK?", "Abmeldetext",
        "Robinson 2024", "Newsletter B", "Mailing wanted", "Consent text", "Permission level", "Nicht mehr anschreiben",
        "Austragung", "Ausgetragen am", "Abbestellt", "Mail unerwünscht", "Ausgeschlossen", "Removed at", "Disiscritto",
        "Uitgeschreven op", "Afgemeld",
    ],
)  # fmt: skip
def test_a_column_nobody_knows_that_may_say_no_refuses_the_file(header: str) -> None:
    with pytest.raises(BadInput) as refused:
        refuse_doubtful("people.csv", recognize(["email", header, "Shoe size"], {}))
    assert str(refused.value).startswith(f'people.csv: "{header}" may say who must not be mailed')
    assert f'--map "{header}=-"' in str(refused.value)
    refuse_doubtful("people.csv", recognize(["email", header], {}, {header: "-"}))
    refuse_doubtful("people.csv", recognize(["email", header], {}, {header: "opted_out"}))


@pytest.mark.parametrize(
    "header",
    [
        "Phone", "Contact ID", "Contact type", "Mailing Street", "Mailing Zip/Postal Code", "Option", "Adoption date",
        "Customer No.", "No", "Email 2", "Topic", "Industry", "Website",
    ],
)  # fmt: skip
def test_a_column_about_something_else_refuses_nothing(header: str) -> None:
    columns = recognize(["email", header], {})
    refuse_doubtful("people.csv", columns)
    assert columns.unknown == (header,)
