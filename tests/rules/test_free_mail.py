"""Whether a free-mail provider's own relay carries mail that is from it: nobody else's arrives."""

import pytest

from nurture.contacts.freemail import is_free_mail, is_own_relay


@pytest.mark.parametrize(
    ("domain", "host"),
    [
        ("gmail.com", "smtp.gmail.com"), ("googlemail.com", "smtp.gmail.com"), ("gmail.com", "smtp-relay.gmail.com"),
        ("gmx.de", "mail.gmx.net"), ("web.de", "smtp.web.de"), ("outlook.com", "smtp-mail.outlook.com"),
        ("hotmail.com", "smtp.office365.com"), ("yahoo.co.uk", "smtp.mail.yahoo.com"), ("icloud.com", "smtp.mail.me.com"),
        ("t-online.de", "securesmtp.t-online.de"), ("posteo.de", "posteo.de"),
        ("uol.com.br", "smtps.uol.com.br"), ("optusnet.com.au", "mail.optusnet.com.au"), ("btinternet.com", "mail.btinternet.com"),
    ],
)  # fmt: skip
def test_a_providers_own_relay_may_carry_its_mail(domain: str, host: str) -> None:
    assert is_free_mail(domain)
    assert is_own_relay(domain, host)


@pytest.mark.parametrize(
    ("domain", "host"),
    [
        ("gmail.com", "127.0.0.1"), ("gmail.com", "smtp.sendgrid.net"), ("gmx.de", "smtp.gmail.com"),
        ("gmail.com", "gmail.relay.example"), ("gmail.com", "localhost"), ("gmail.com", ""),
        ("uol.com.br", "smtps.notuol.com.br"), ("uol.com.br", "com.br"),
    ],
)  # fmt: skip
def test_nobody_elses_may(domain: str, host: str) -> None:
    assert not is_own_relay(domain, host)
