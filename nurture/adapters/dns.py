"""What the name servers say: TXT records for the doctor, and who takes mail for a domain."""

import dns.exception
import dns.resolver

from nurture.consent.domains.rules import Answer

_SECONDS = 3.0


class Dns:
    """The resolver of the machine."""

    def find_mail_hosts(self, domain: str) -> Answer:
        """Who takes mail for a domain: its MX records by preference, else its own address (RFC 5321, 5.1)."""
        try:
            found = dns.resolver.resolve(domain, "MX", lifetime=_SECONDS)
            return Answer(tuple(str(one.exchange) for one in sorted(found, key=lambda one: int(one.preference))))
        except dns.resolver.NoAnswer:
            return self._own_address(domain)
        except dns.resolver.NXDOMAIN:
            return Answer(exists=False)
        except dns.exception.DNSException as error:
            return Answer(failed=type(error).__name__)

    @staticmethod
    def _own_address(domain: str) -> Answer:
        for kind in ("A", "AAAA"):
            try:
                dns.resolver.resolve(domain, kind, lifetime=_SECONDS)
            except dns.resolver.NoAnswer:
                continue
            except dns.resolver.NXDOMAIN:
                return Answer(exists=False)
            except dns.exception.DNSException as error:
                return Answer(failed=type(error).__name__)
            return Answer((domain,))
        return Answer()


def find_texts(name: str) -> list[str] | None:
    """The TXT records of a name; empty when there are none, None when nobody could be asked."""
    try:
        answer = dns.resolver.resolve(name, "TXT", lifetime=_SECONDS)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    except dns.exception.DNSException:
        return None
    return [b"".join(record.strings).decode("utf-8", "replace") for record in answer]
