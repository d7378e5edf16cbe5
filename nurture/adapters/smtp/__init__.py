"""The relays, over SMTP (RFC 5321): warm connections that know exactly how far a message got.

What matters is the difference between "nothing was handed over" and "the final dot was written and no answer came": the
first may be tried again, the second may not. Every way in which a message can end is one of the five of
`delivery.rules.Heard`.

- `relay`: where mail is handed over, and how to sign in there.
- `opening`: connecting, TLS, EHLO, signing in.
- `talking`: one protocol per connection: writes, counts the replies that are owed, watches the time.
- `replies`: from bytes to replies, wherever they were split.
- `connection`: the two halves of a message, with PIPELINING in one round trip.
- `mailer`: several relays, which of them are in reach, and connections to them.
"""

from nurture.adapters.smtp.connection import SmtpConnection
from nurture.adapters.smtp.mailer import SmtpMailer
from nurture.adapters.smtp.relay import Relay

__all__ = ["Relay", "SmtpConnection", "SmtpMailer"]
