"""Exports of other systems, known by their headers: what their own columns mean, and what a whole file says. Pure.

Mailchimp writes those who left into a file of their own in which no cell says so; HubSpot has a column for every kind of
mail somebody refused; listmonk and Mautic leave out of an export who unsubscribed. What is certain is taken over, in doubt
nobody is mailed, and `remark` tells whoever imports what the file cannot know.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from nurture.contacts.cells import fold

#: How a column is called that is left out on purpose.
LEAVE_OUT = "-"

# HubSpot writes the zone behind the name of a date: "Last Activity Date (EDT)".
_ZONE = re.compile(r"\s*\((?:[A-Z]{2,5}|GMT[+-][\d:]+)\)$")


@dataclass(frozen=True)
class Export:
    """A file of another system: fields by folded header, then by pattern, and what every row of it says.

    `rest` is what a column means that nobody knows.
    """

    provider: str
    of: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    patterns: tuple[tuple[re.Pattern[str], str], ...] = ()
    implied: tuple[tuple[str, str], ...] = ()
    rest: str | None = None
    remark: str = ""

    @property
    def title(self) -> str:
        """As it is said in a report."""
        article = "an" if self.provider[0] in "AEIOU" else "a"
        return f"{article} {self.provider} export{f' of {self.of}' if self.of else ''}"

    def find_field(self, header: str) -> str | None:
        """What a column of this system means; "-" for one that is left out, None for one that is not its own."""
        folded = fold(_ZONE.sub("", header))
        return self.fields.get(folded) or next(
            (field for pattern, field in self.patterns if pattern.fullmatch(folded)), None
        )


def _fields(**headers: str) -> dict[str, str]:
    """Folded headers with their fields; `left_out` are those that nobody needs."""
    return {
        fold(header): LEAVE_OUT if name == "left_out" else name
        for name, names in headers.items()
        for header in names.split(";")
    }


_MAILCHIMP = _fields(
    consent_on="OPTIN_TIME; CONFIRM_TIME",
    consent_ip="OPTIN_IP; CONFIRM_IP",
    opted_out="UNSUB_TIME",
    bounced="CLEAN_TIME",
    status="STATUS; Email Marketing Status",
    left_out="""MEMBER_RATING; LATITUDE; LONGITUDE; GMTOFF; DSTOFF; REGION; LAST_CHANGED; LEID; EUID; NOTES;
        UNSUB_CAMPAIGN_TITLE; UNSUB_CAMPAIGN_ID; UNSUB_REASON; UNSUB_REASON_OTHER; CLEAN_CAMPAIGN_TITLE; CLEAN_CAMPAIGN_ID""",
)
_HUBSPOT = _fields(
    opted_out="Unsubscribed from all email; hs_email_optout; Portal Unsubscribe; Global Unsubscribe",
    bounced="Invalid email address; hs_email_bad_address; Portal Bounce; Global Bounce",
    bounced_because="Email hard bounce reason; hs_email_hard_bounce_reason; hs_email_hard_bounce_reason_enum",
    complained="Portal Spam Report",
    declined="Email address quarantined; Email Quarantined; hs_email_quarantined",
    status="""Marketing contact status; Marketing email confirmation status;
        hs_emailconfirmationstatus""",
    allowed="hs_marketable_status",
    basis="Legal basis for processing contact's data; hs_legal_basis",
    last_open_on="Last marketing email open date; hs_email_last_open_date; Recent Sales Email Opened Date",
    last_click_on="""Last marketing email click date; hs_email_last_click_date; Recent Sales Email Clicked Date;
        hs_sales_email_last_clicked""",
    last_reply_on="""Last marketing email reply date; hs_email_last_reply_date; Recent Sales Email Replied Date;
        hs_sales_email_last_replied""",
    last_contact_on="""Last Contacted; notes_last_contacted; Last Activity Date; notes_last_updated;
        Last marketing email send date; hs_email_last_send_date""",
    bounce_count="Marketing emails bounced; hs_email_bounce",
    job_title="jobtitle",
    source="hs_latest_source",
    left_out="""Record ID; Contact ID; hs_object_id; Email Domain; Contact unworked; Create Date; Last Modified Date;
        Marketing contact until next update; Marketing contact status source name; Marketing contact status source type;
        Email address quarantine reason; Number of times contacted; num_contacted_notes; Currently in Sequence;
        Sends Since Last Engagement; Associated Contact; Contact priority""",
)
_HUBSPOT_PATTERNS = (
    # One column for every kind of mail somebody refused.
    (re.compile(r"optedoutofemail.+|hsemailoptout\d+"), "declined"),
    (
        re.compile(r"became.*date|firstmarketingemail.*date|marketingemails(opened|clicked|delivered|replied)"),
        LEAVE_OUT,
    ),
)
_SALESFORCE = _fields(
    opted_out="HasOptedOutOfEmail; Email Opt Out",
    bounced="EmailBouncedDate; Email Bounced Date; IsEmailBounced",
    bounced_because="EmailBouncedReason; Email Bounced Reason",
    blocked="IsDeleted; ShouldForget; Should Forget; Forget this Individual",
    declined="HasOptedOutSolicit; Don't Solicit; Has Opted Out Solicit",
    last_contact_on="LastActivityDate; Last Activity; Last Activity Date",
    source="LeadSource; Lead Source",
    country="MailingCountryCode; MailingCountry; Mailing Country; Mailing Country Code",
    owner="Contact Owner; Lead Owner; Owner: Email; Contact Owner: Email; Contact Owner: Full Name",
    left_out="""HasOptedOutOfFax; Fax Opt Out; DoNotCall; Do Not Call; MailingGeocodeAccuracy; MailingLatitude;
        MailingLongitude; MailingAddress; Jigsaw; JigsawContactId; Data.com Key; Id; Contact ID; Lead ID; AccountId;
        Account ID; OwnerId; ReportsToId; MasterRecordId; CreatedById; LastModifiedById; SystemModstamp; CreatedDate;
        LastModifiedDate; LastReferencedDate; LastViewedDate; LastCURequestDate; LastCUUpdateDate; PhotoUrl; IndividualId""",
)
_LISTMONK = _fields(
    name="name",
    attributes="attributes",
    status="status",
    consent_on="created_at",
    left_out="uuid; updated_at",
)
_MAUTIC = _fields(
    first_name="firstname; First Name",
    last_name="lastname; Last Name",
    job_title="position; Position",
    opted_out="""dnc; Do Not Contact; doNotContact; doNotEmail; do_not_contact; dnc_reason; DNC reason;
        Do not contact reason; dnc_preferences; DNC preferences; Do Not Contact preferences""",
    language="preferred_locale; Preferred Locale",
    last_open_on="last_active; Last Active; Last active date",
    left_out="""id; Contact ID; points; Points; Stage; stage; date_identified; Date Identified; is_published; Published;
        attribution; attribution_date; preferred_profile_image; Date Added; date_added; date_modified; Date Modified;
        title""",
)

_SUBSCRIBED_BY_NAME = re.compile(r"(?:^|[^a-z])(non-?_?subscribed|unsubscribed|subscribed|cleaned)(?=[^a-z])")


def find_export(headers: Sequence[str], file_name: str = "") -> Export | None:
    """Which system wrote a file with these headers; None when none of those we know."""
    folded = frozenset(fold(_ZONE.sub("", header)) for header in headers)
    return next((export for find in _FINDERS if (export := find(folded, file_name.lower()))), None)


def _find_mailchimp(headers: frozenset[str], file_name: str) -> Export | None:
    ours = {"memberrating", "leid", "euid", "optinip", "confirmip", "optintime", "confirmtime", "lastchanged"}
    if len(ours & headers) < 3 and not {"unsubcampaignid", "cleancampaignid"} & headers:
        return None
    named = _SUBSCRIBED_BY_NAME.search(file_name)
    if headers & {"status", "emailmarketingstatus"}:
        kind = ""
    elif named:
        kind = re.sub("[^a-z]", "", named[1])
    elif "cleantime" in headers:
        kind = "cleaned"
    elif "unsubtime" in headers and "lastchanged" not in headers:
        kind = "unsubscribed"
    else:
        remark = (
            "its columns do not tell subscribed contacts from non-subscribed ones, so no consent is taken from it; "
            'name the file as Mailchimp did ("subscribed_…"), or add --consent opt-in if these people subscribed'
        )
        return Export("Mailchimp", "", _MAILCHIMP, remark="" if "unsubtime" in headers else remark)
    of = {"nonsubscribed": "non-subscribed contacts", "": ""}.get(kind, f"{kind} contacts")
    implied = (("status", "non-subscribed" if kind == "nonsubscribed" else kind),) if kind else ()
    return Export("Mailchimp", of, _MAILCHIMP, implied=implied)


def _find_hubspot(headers: frozenset[str], _file_name: str) -> Export | None:
    if {"portalbounce", "portalunsubscribe"} & headers:
        # Every further column is a kind of mail, and TRUE means that it was refused.
        return Export("HubSpot", "unsubscribes and bounces", _HUBSPOT, _HUBSPOT_PATTERNS, rest="declined")
    ours = {
        "unsubscribedfromallemail", "lifecyclestage", "leadstatus", "marketingcontactstatus", "contactowner",
        "primarycompany", "associatedcompany", "emailhardbouncereason", "hslegalbasis", "hsemailoptout",
    }  # fmt: skip
    if {"recordid", "hsobjectid", "contactid", "hsemailoptout"} & headers and len(ours & headers) >= 2:
        return Export("HubSpot", "", _HUBSPOT, _HUBSPOT_PATTERNS)
    return None


def _find_salesforce(headers: frozenset[str], _file_name: str) -> Export | None:
    own = {"hasoptedoutofemail", "emailbounceddate", "emailbouncedreason", "isemailbounced", "systemmodstamp"}
    common = {
        "accountname",
        "leadsource",
        "contactid",
        "leadid",
        "mailingcountry",
        "donotcall",
        "faxoptout",
        "accountid",
    }
    if own & headers or ("emailoptout" in headers and common & headers) or len(common & headers) >= 3:
        silent = not {"hasoptedoutofemail", "emailoptout"} & headers
        remark = 'it has no column "Email Opt Out", so nobody can tell who left; add the column in Salesforce and export again'
        return Export("Salesforce", "", _SALESFORCE, remark=remark if silent else "")
    return None


def _find_listmonk(headers: frozenset[str], _file_name: str) -> Export | None:
    if not headers >= {"uuid", "email", "name", "attributes", "status", "createdat"}:
        return None
    return Export(
        "listmonk",
        "",
        _LISTMONK,
        remark="it tells who is blocklisted and not who unsubscribed from a list, so nobody's status in it is a consent; "
        "export those separately (query \"subscriber_lists.status = 'unsubscribed'\") and import them with a column opted_out",
    )


def _find_mautic(headers: frozenset[str], _file_name: str) -> Export | None:
    own = {
        "dateidentified", "lastactive", "preferredlocale", "attributiondate", "preferredprofileimage", "ispublished",
        "dncpreferences", "dncreason", "dnc",
    }  # fmt: skip
    shared = {"points", "stage", "attribution"}
    if not {"email", "firstname", "lastname"} <= headers or not own & headers or len((own | shared) & headers) < 2:
        return None
    silent = not any(_MAUTIC.get(header) == "opted_out" for header in headers)
    remark = (
        "Mautic leaves out of it who must not be contacted, so nobody can tell who left; export a report with the column "
        '"Do not contact" and import that, before or after this one'
    )
    return Export("Mautic", "", _MAUTIC, remark=remark if silent else "")


_FINDERS: tuple[Callable[[frozenset[str], str], Export | None], ...] = (
    _find_mailchimp,
    _find_hubspot,
    _find_salesforce,
    _find_listmonk,
    _find_mautic,
)
