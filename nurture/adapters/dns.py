"""TXT records, for the doctor."""

import dns.exception
import dns.resolver

_SECONDS = 3.0


def find_texts(name: str) -> list[str] | None:
    """The TXT records of a name; empty when there are none, None when nobody could be asked."""
    try:
        answer = dns.resolver.resolve(name, "TXT", lifetime=_SECONDS)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    except dns.exception.DNSException:
        return None
    return [b"".join(record.strings).decode("utf-8", "replace") for record in answer]
