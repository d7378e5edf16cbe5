"""Which known relay stands behind a host of the settings, and which headers those relays write anew."""

from collections.abc import Iterable

from nurture.relays.profiles import Profile, find_profile, list_profiles


def find_profile_at(host: str) -> Profile | None:
    """The relay at that host; None for one that nobody described."""
    wanted = host.lower().rstrip(".")
    for one in list_profiles():
        hosts = {one.server.host, *one.server.region_hosts.values(), *map(one.host_in, one.server.regions)}
        if wanted and wanted in hosts:
            return one
    return None


def find_profile_of(provider: str, host: str) -> Profile | None:
    """The relay as somebody named it, else the one at that host."""
    return find_profile(provider) or find_profile_at(host)


def rewritten_by(relays: Iterable[tuple[str, str]]) -> frozenset[bytes]:
    """Headers, in small letters, that no signature of ours may cover, because one of these relays puts its own.

    Each is given as which known one it was connected, and its host.
    """
    found = (find_profile_of(provider, host) for provider, host in relays)
    is_replaced = any(one is not None and one.changes.message_id == "replaced" for one in found)
    # Who replaces the one may replace the other: Amazon SES does (docs.aws.amazon.com/ses, "Manual DKIM signing").
    return frozenset({b"message-id", b"date"}) if is_replaced else frozenset()
