"""In which time zone a contact lives, as far as we know."""

from zoneinfo import ZoneInfo

from nurture.contacts.store import Contact
from nurture.timing import find_zone

_UTC = ZoneInfo("UTC")

#: Where most people of a country live, for contacts whose zone nobody wrote down.
_MOST_PEOPLE = {
    "US": "America/New_York", "CA": "America/Toronto", "GB": "Europe/London", "IE": "Europe/Dublin",
    "DE": "Europe/Berlin", "AT": "Europe/Vienna", "CH": "Europe/Zurich", "FR": "Europe/Paris", "NL": "Europe/Amsterdam",
    "BE": "Europe/Brussels", "ES": "Europe/Madrid", "PT": "Europe/Lisbon", "IT": "Europe/Rome", "PL": "Europe/Warsaw",
    "CZ": "Europe/Prague", "SE": "Europe/Stockholm", "NO": "Europe/Oslo", "DK": "Europe/Copenhagen",
    "FI": "Europe/Helsinki", "GR": "Europe/Athens", "RO": "Europe/Bucharest", "HU": "Europe/Budapest",
    "AU": "Australia/Sydney", "NZ": "Pacific/Auckland", "IN": "Asia/Kolkata", "JP": "Asia/Tokyo",
    "SG": "Asia/Singapore", "CN": "Asia/Shanghai", "BR": "America/Sao_Paulo", "MX": "America/Mexico_City",
    "ZA": "Africa/Johannesburg", "IL": "Asia/Jerusalem", "AE": "Asia/Dubai", "TR": "Europe/Istanbul",
}  # fmt: skip


def zone_of(contact: Contact) -> ZoneInfo:
    """Their own zone, else that of most people in their country, else UTC."""
    return zone_at(contact.timezone, contact.country)


def zone_at(timezone: str | None, country: str | None) -> ZoneInfo:
    """The same of somebody of whom no more than this is at hand."""
    return find_zone(timezone) or find_zone(_MOST_PEOPLE.get(country or "")) or _UTC
