"""Name servers of our own: a zone that answers like the port, and a real server over UDP that tells the same."""

import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from nurture.doctor.resolving import Found


@dataclass
class Zone:
    """What the name servers know; a name that is `down` cannot be asked about."""

    txt: dict[str, Sequence[str]] = field(default_factory=dict)
    mx: dict[str, Sequence[str]] = field(default_factory=dict)
    hosts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    reverse: Mapping[str, Sequence[str]] = field(default_factory=dict)
    down: frozenset[str] = frozenset()

    def texts(self, name: str) -> Found:
        return self._found(self.txt, name)

    def mail_hosts(self, domain: str) -> Found:
        return self._found(self.mx, domain)

    def addresses(self, host: str) -> Found:
        return self._found(self.hosts, host.rstrip("."))

    def names_of(self, address: str) -> Found:
        return self._found(self.reverse, address)

    def _found(self, records: Mapping[str, Sequence[str]], name: str) -> Found:
        return Found(failed="LifetimeTimeout") if name in self.down else Found(tuple(records.get(name, ())))


def answer(zone: Zone, asked: bytes) -> bytes:
    """The answer of a name server to one question."""
    query = dns.message.from_wire(asked)
    reply = dns.message.make_response(query)
    reply.flags |= dns.flags.AA
    question = query.question[0]
    name, kind = question.name.to_text().rstrip("."), question.rdtype
    known: Mapping[dns.rdatatype.RdataType, list[str]] = {
        dns.rdatatype.TXT: [_quoted(one) for one in zone.txt.get(name, ())],
        dns.rdatatype.MX: [f"{10 + turn} {one}." for turn, one in enumerate(zone.mx.get(name, ()))],
        dns.rdatatype.A: [one for one in zone.hosts.get(name, ()) if ":" not in one],
        dns.rdatatype.AAAA: [one for one in zone.hosts.get(name, ()) if ":" in one],
    }
    if name in zone.down:
        reply.set_rcode(dns.rcode.SERVFAIL)
    elif found := known.get(kind):
        reply.answer.append(dns.rrset.from_text(question.name, 60, dns.rdataclass.IN, kind, *found))
    elif not any(known.values()):
        reply.set_rcode(dns.rcode.NXDOMAIN)
    return reply.to_wire()


@contextmanager
def running_name_server(zone: Zone) -> Iterator[str]:
    """A name server for that zone; yields where it is, as the settings write it."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            asked, whom = server.recvfrom(4096)
            if not asked:
                return
            server.sendto(answer(zone, asked), whom)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.getsockname()[1]}"
    finally:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", server.getsockname())
        thread.join()
        server.close()


def _quoted(text: str) -> str:
    return " ".join(f'"{text[at : at + 255]}"' for at in range(0, len(text), 255))
