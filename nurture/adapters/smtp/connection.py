"""One warm connection to a relay: the two halves of a message, one body without an answer at most.

With PIPELINING (RFC 2920) the envelope of the next message travels behind the body of the one at hand, in one write and
one round trip. Without, or for the first message, the envelope is offered by itself.
"""

import asyncio
import re
from collections.abc import Callable, Mapping

from nurture.adapters.smtp.relay import Relay
from nurture.adapters.smtp.replies import Reply
from nurture.adapters.smtp.talking import CLOSED, Conversation, Ended
from nurture.delivery.mailer import Body, Envelope
from nurture.delivery.rules import Heard, Outcome

# RFC 5321, 4.5.3.2.6: a server may take ten minutes over the final dot; giving up earlier makes duplicates.
_PATIENCE_AFTER_DOT = 10
_GOODBYE_SECONDS = 1
#: What is written in one go with an envelope behind it is small enough for the kernel to take it whole: of what it took
#: in part, nobody could say whether the dot was in that part.
_LARGEST_WITH_AHEAD = 128 * 1024
_ADDRESS = re.compile(r"(?!-)[^\s<>\x00-\x20\x7f\ud800-\udfff]{1,254}")
#: Nearly all addresses, in half the time.
_PLAIN_ADDRESS = re.compile(r"[!-,./-;=?-~][!-;=?-~]{0,253}")
_PLAIN_XTEXT = re.compile(r"[!-*,-<>-~]*")
_OUT_OF_STEP = "the relay is out of step, it answered {}"


class SmtpConnection:
    """One conversation; it carries one message after the other."""

    def __init__(self, relay: Relay, conversation: Conversation, offers: Mapping[str, str]) -> None:
        self._relay = relay
        self._talk = conversation
        self._offers = offers
        self._takes_size = "SIZE" in offers
        limit = offers.get("SIZE", "")
        self._size_limit = int(limit) if limit.isdecimal() else 0
        self._takes_utf8 = "SMTPUTF8" in offers
        self._takes_dsn = "DSN" in offers
        self._first_lines = relay.first_lines
        self._size_of_first_lines = len(relay.first_lines)
        self._patience_after_dot = _PATIENCE_AFTER_DOT * relay.timeout_seconds
        self.relay = relay.name
        self.can_pipeline = relay.may_pipeline and "PIPELINING" in offers
        self._ahead: Envelope | None = None
        self._waits_for_body = False
        self._heard: Callable[[Outcome], object] = lambda _: None  # told how the message at hand ended

    @property
    def is_usable(self) -> bool:
        return not self._talk.ended

    @property
    def description(self) -> str:
        """Where this connection leads and what is offered there, for the doctor."""
        offers = ", ".join(sorted(self._offers)) or "nothing"
        tls = "TLS" if self._talk.is_encrypted else "no TLS"
        return f"{self._relay.host}:{self._relay.port}, {tls}, offers {offers}"

    async def begin(self, envelope: Envelope) -> Outcome | None:
        ahead, self._ahead = self._ahead, None
        if self._waits_for_body or (ahead is not None and ahead != envelope):
            raise RuntimeError("a message was begun while the relay waited for another one")
        try:
            if ahead is None:
                objection = self._find_objection(envelope)
                if objection is not None:
                    return objection
                if not self._talk.is_in_step:
                    # Somebody stopped waiting for an answer: what comes now could be taken for the answer to this one.
                    self._talk.end("an earlier answer is still owed")
                if not self.can_pipeline:
                    return await self._offer_step_by_step(envelope)
                self._talk.write(self._command_group(envelope), 3)
            return await self._hear_group()
        except Ended as error:
            return self._outcome(Heard.LOST, None, str(error))

    def is_begun(self, envelope: Envelope) -> bool:
        arrived = self._talk.arrived
        if self._ahead is not envelope or len(arrived) != 3:
            return False
        mail, rcpt, data = arrived
        if mail.code // 100 != 2 or rcpt.code // 100 != 2 or data.code != 354:
            return False
        arrived.clear()
        self._ahead, self._waits_for_body = None, True
        return True

    async def finish(self, body: Body, ahead: Envelope | None = None, *, is_clean: bool = False) -> Outcome:
        told: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self.hand_over(body, told.set_result, ahead, is_clean=is_clean)
        try:
            return await told
        finally:
            # Whoever stopped waiting hears it no more, and the connection is out of step.
            self._talk.stop_listening()

    def hand_over(
        self, body: Body, heard: Callable[[Outcome], object], ahead: Envelope | None = None, *, is_clean: bool = False
    ) -> None:
        if not self._waits_for_body:
            raise RuntimeError("a body is written only for an envelope that was begun and accepted")
        self._waits_for_body = False
        pieces = _pieces(body) if is_clean else _pieces_after_a_look(body)
        if pieces is None:
            self._talk.end("the mail could not be written")
            because = "the mail has a line that does not end with CR LF (RFC 5321, 2.3.8)"
            heard(self._outcome(Heard.REJECTED, None, because))
            return
        if self._first_lines:
            pieces.insert(0, self._first_lines)
        pieces.append(b".\r\n")
        if ahead is not None:
            self._put_behind(pieces, ahead)
        talk = self._talk
        if talk.write(b"".join(pieces), 1 if self._ahead is None else 4):
            self._heard = heard
            talk.listen(self._hear_verdict, self._patience_after_dot)
        else:
            heard(self._outcome(Heard.LOST, None, talk.ended or CLOSED))

    def _hear_verdict(self) -> None:
        """Something was said after the body, or the conversation has ended."""
        talk = self._talk
        if not talk.arrived:
            lost = Heard.LOST if self._is_dot_unwritten else Heard.UNANSWERED
            self._heard(self._outcome(lost, None, talk.ended))
            return
        reply = talk.arrived.popleft()
        if 200 <= reply.code < 300 and not talk.is_paused:
            self._heard(Outcome(Heard.ACCEPTED, reply.code, str(reply), self.relay))
        else:
            self._heard(self._verdict_on_body(reply))

    @property
    def _is_dot_unwritten(self) -> bool:
        """Whether the kernel has not yet taken the last bytes, and the dot is the last of them."""
        return self._talk.is_paused and self._ahead is None

    def _verdict_on_body(self, reply: Reply) -> Outcome:
        talk = self._talk
        if self._is_dot_unwritten:
            # It answered before the mail was over, so it does not get the rest of it.
            talk.end(_OUT_OF_STEP.format(reply))
            return self._verdict(reply)
        if 200 <= reply.code < 300:
            return self._outcome(Heard.ACCEPTED, reply.code, str(reply))
        if not _is_no(reply):
            talk.end(_OUT_OF_STEP.format(reply))
            return self._outcome(Heard.UNANSWERED, None, talk.ended)
        return self._verdict(reply)

    async def abandon(self) -> None:
        if self._waits_for_body or not self._talk.is_in_step:
            self._waits_for_body, self._ahead = False, None
            # A lone dot would deliver an empty mail, and QUIT would be taken for its first line.
            self._talk.end("the message was taken back")
            await self._talk.closed(_GOODBYE_SECONDS)

    async def close(self) -> None:
        await self.abandon()
        if self.is_usable:
            self._talk.write(b"QUIT\r\n", 1)
            self._talk.end("we said good-bye", at_once=False)
        await self._talk.closed(_GOODBYE_SECONDS)

    # The envelope.

    def _command_group(self, envelope: Envelope) -> bytes:
        """MAIL, RCPT, DATA: DATA comes last, as RFC 2920, 3.1 wants it."""
        mail, rcpt = self._commands(envelope)
        return f"{mail}\r\n{rcpt}\r\nDATA\r\n".encode()

    def _commands(self, envelope: Envelope) -> tuple[str, str]:
        """MAIL and RCPT."""
        mail_from, rcpt_to, size, report_as, is_utf8 = envelope
        is_ascii = not is_utf8 and mail_from.isascii() and rcpt_to.isascii()
        mail, rcpt = f"MAIL FROM:<{mail_from}>", f"RCPT TO:<{rcpt_to}>"
        if self._takes_size and size:
            mail = f"{mail} SIZE={size + self._size_of_first_lines}"
        if report_as and self._takes_dsn:
            mail = f"{mail} RET=HDRS ENVID={_xtext(report_as)}"
            if is_ascii or rcpt_to.isascii():
                rcpt = f"{rcpt} NOTIFY=FAILURE,DELAY ORCPT=rfc822;{_xtext(rcpt_to)}"
        return (mail if is_ascii else f"{mail} SMTPUTF8"), rcpt

    def _put_behind(self, pieces: list[bytes], ahead: Envelope) -> None:
        """The next envelope behind a body, where it may go ahead; `begin` says what is wrong with one that may not."""
        if not self.can_pipeline or sum(map(len, pieces)) > _LARGEST_WITH_AHEAD:
            return
        if self._find_objection(ahead) is None:
            self._ahead = ahead
            pieces.append(self._command_group(ahead))

    def _find_objection(self, envelope: Envelope) -> Outcome | None:
        """What can be known to fail, or must never be said, before a word of it is."""
        mail_from, rcpt_to, size, _, is_utf8 = envelope
        if _PLAIN_ADDRESS.fullmatch(mail_from) is None or _PLAIN_ADDRESS.fullmatch(rcpt_to) is None:
            if _ADDRESS.fullmatch(mail_from) is None or _ADDRESS.fullmatch(rcpt_to) is None:
                return self._outcome(Heard.REJECTED, None, "the address is not one that can be sent to")
            if not self._takes_utf8 and not (mail_from.isascii() and rcpt_to.isascii()):
                because = "the relay does not offer SMTPUTF8 (RFC 6531), which this address needs"
                return self._outcome(Heard.REJECTED, None, because)
        if is_utf8 and not self._takes_utf8:
            because = "the relay does not offer SMTPUTF8 (RFC 6531), which the address of the sender needs"
            return self._outcome(Heard.REJECTED, None, because)
        if 0 < self._size_limit < size:
            because = f"the mail has {size:,} bytes and the relay takes {self._size_limit:,} (RFC 1870)"
            return self._outcome(Heard.REJECTED, None, because)
        return None

    async def _offer_step_by_step(self, envelope: Envelope) -> Outcome | None:
        ask = self._talk.ask
        mail, rcpt = self._commands(envelope)
        reply = await ask(mail)
        if not 200 <= reply.code < 300:
            return (await self._refused(reply))._replace(is_of_sender=True)
        reply = await ask(rcpt)
        if not 200 <= reply.code < 300:
            return await self._refused(reply)
        reply = await ask("DATA")
        if reply.code != 354:
            return await self._refused(reply)
        self._waits_for_body = True
        return None

    async def _hear_group(self) -> Outcome | None:
        """The answers to MAIL, RCPT and DATA that were said at once."""
        hear = self._talk.reply
        mail = await hear()
        if mail.code // 100 != 2:
            return (await self._refused_in_group(mail, 2))._replace(is_of_sender=True)
        rcpt = await hear()
        if rcpt.code // 100 != 2:
            return await self._refused_in_group(rcpt, 1)
        data = await hear()
        if data.code != 354:
            return await self._refused(data)
        self._waits_for_body = True
        return None

    async def _refused_in_group(self, refusal: Reply, left: int) -> Outcome:
        """Hear what was said to the rest of the group, which has no meaning but that both sides stay in step."""
        outcome = self._verdict(refusal)
        talk = self._talk
        try:
            rcpt = await talk.reply() if left > 1 else refusal
            data = await talk.reply()
            if data.code == 354 and _is_no(rcpt):
                # It waits for a body although it accepted no recipient: a lone dot goes to nobody (RFC 2920, 3.1).
                talk.write(b".\r\n", 1)
                await talk.reply()
            elif not _is_no(data):
                # Nobody knows whom a dot would deliver what to.
                talk.end(_OUT_OF_STEP.format(data))
        except Ended:
            return outcome
        return await self._refused(refusal)

    async def _refused(self, reply: Reply) -> Outcome:
        """No to the envelope: the next message may follow after RSET."""
        outcome = self._verdict(reply)
        if self.is_usable:
            try:
                answer = await self._talk.ask("RSET")
                if answer.code != 250:
                    self._talk.end(str(answer))
            except Ended:
                pass
        return outcome

    # What became of a message.

    def _verdict(self, reply: Reply) -> Outcome:
        if reply.code == 421:
            # RFC 5321, 3.8: it closes the channel, and says nothing about this message.
            self._talk.end(str(reply))
        if not _is_no(reply):
            # Neither a yes nor a no.
            self._talk.end(_OUT_OF_STEP.format(reply))
            return self._outcome(Heard.LOST, None, self._talk.ended)
        return self._outcome(Heard.REJECTED if reply.code >= 500 else Heard.DEFERRED, reply.code, str(reply))

    def _outcome(self, heard: Heard, code: int | None, reply: str) -> Outcome:
        return Outcome(heard, code, reply, self.relay)


def _is_no(reply: Reply) -> bool:
    """Whether it says no, for now or for good; RFC 5321, 4.2.1 knows no code of 600 and above."""
    return 400 <= reply.code < 600


def _pieces(body: Body) -> list[bytes]:
    return [body] if isinstance(body, bytes) else list(body)


def _pieces_after_a_look(body: Body) -> list[bytes] | None:
    """Dot-stuffed (RFC 5321, 4.5.2), with its last line ended; None if a CR or LF is without the other.

    Where a server takes one for a whole line end, a body could end early and smuggle in a second message.
    """
    content = body if isinstance(body, bytes) else b"".join(body)
    whole = len(content.split(b"\r\n")) - 1  # twice as fast as counting them
    if content.count(b"\n") != whole or content.count(b"\r") != whole:
        return None
    if b"\r\n." in content:
        content = content.replace(b"\r\n.", b"\r\n..")
    return [b"." if content.startswith(b".") else b"", content, b"" if content.endswith(b"\r\n") else b"\r\n"]


def _xtext(text: str) -> str:
    """As RFC 3461, 4 spells values."""
    if _PLAIN_XTEXT.fullmatch(text):
        return text
    return "".join(c if "!" <= c <= "~" and c not in "+=" else f"+{ord(c):02X}" for c in text)
