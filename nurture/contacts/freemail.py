"""Domains at which anybody may have an address: they say nothing about where somebody works. Pure.

The list is short on purpose: providers that many people use. Those with an ending for every country are known by name.
"""


def _every(words: str) -> frozenset[str]:
    return frozenset(words.split())


_UNDER_ANY_ENDING = _every(
    "gmail googlemail outlook hotmail yahoo ymail rocketmail aol icloud gmx proton protonmail yandex tutanota msn"
)
_DOMAINS = _every(
    "me.com mac.com live.com live.de live.fr live.nl live.co.uk web.de mail.com mail.de mail.ru pm.me hey.com tuta.io "
    "tuta.com zoho.com zohomail.com fastmail.com fastmail.fm mailbox.org posteo.de freenet.de t-online.de magenta.de "
    "arcor.de 1und1.de laposte.net orange.fr wanadoo.fr free.fr sfr.fr neuf.fr bbox.fr libero.it virgilio.it alice.it "
    "tin.it tiscali.it telefonica.net terra.es bluewin.ch hispeed.ch chello.at aon.at ziggo.nl kpnmail.nl planet.nl "
    "telenet.be skynet.be sapo.pt wp.pl onet.pl o2.pl interia.pl seznam.cz btinternet.com sky.com virginmedia.com "
    "ntlworld.com comcast.net verizon.net att.net sbcglobal.net bellsouth.net cox.net charter.net shaw.ca rogers.com "
    "sympatico.ca bigpond.com optusnet.com.au rediffmail.com qq.com 163.com 126.com sina.com naver.com hanmail.net "
    "daum.net docomo.ne.jp ezweb.ne.jp uol.com.br bol.com.br terra.com.br"
)


def is_free_mail(domain: str) -> bool:
    """Whether people have addresses at this domain who do not work there."""
    known = domain.lower().strip(".")
    return known in _DOMAINS or known.partition(".")[0] in _UNDER_ANY_ENDING


#: Domains of one provider whose relay has another name than they have, by what stands before the ending.
_RELAYS = {
    "googlemail": "gmail", "outlook": "office365", "hotmail": "office365", "live": "office365", "msn": "office365",
    "ymail": "yahoo", "rocketmail": "yahoo", "icloud": "me", "mac": "me", "proton": "protonmail", "pm": "protonmail",
    "tuta": "tutanota", "magenta": "t-online", "zohomail": "zoho",
}  # fmt: skip


def is_own_relay(domain: str, host: str) -> bool:
    """Whether a relay belongs to the provider of a free-mail domain, who alone may send in its name."""
    known, at = domain.lower().strip("."), host.lower().strip(".")
    if at == known or at.endswith(f".{known}"):
        return True
    word = known.partition(".")[0]
    wanted = {word, _RELAYS.get(word, word)} | ({"outlook"} if _RELAYS.get(word) == "office365" else set())
    labels = at.split(".")
    return len(labels) > 1 and labels[-2] in wanted
