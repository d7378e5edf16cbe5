"""Headers that nobody knows and that may say no: a file with such a column is refused until somebody says what it is.

A column that is left out is never read, so a no in it would be lost and its people mailed. In doubt, nobody is mailed.
Words stand here in the languages of `contacts.headers`, as beginnings or parts of words; what a header says about a
street or a telephone is no matter of permission.
"""

import re

from nurture.contacts.cells import fold

#: Parts of a header, folded, that speak of permission or of an address nobody reads.
_PARTS = re.compile(
    "unsub|bounce|block|black|contact|spam|dnc|gdpr|dsgvo|rgpd|erase|erasure|delet|sperr|werbung|widerspruch|widerruf"
    "|abmeld|abgemeld|robinson|newsletter|mailing|consent|permission|einwillig|zustimm|kontakt|geloesch|gelosch|subscri|suppress"
    "|complain|beschwerde|objection|objected|exclu|banned|undeliver|unzustell|invalid|ungultig|desabonn|desinscri"
    "|desinscripcion|dadodebaja|consentimiento|opposition|oposicion|lopd|bloqu|rebot|plainte|queja|marketing|optin|optout"
    "|austrag|ausgetragen|abbestell|unerwunscht|unerwuenscht|ausgeschlossen|removed|removal|disiscri|uitgeschr|uitschrij|afgemeld"
)
_WHOLE = """opt opted opting optin optout no not never none stop dont dnm dne dno ban kein keine keinen nicht nie pas jamais
    nunca baja abo abos mailable emailable reachable"""
_HARMLESS = """contact contacts contacted kontakt mailing address adresse details street city state province zip postal
    postcode code country county line 1 2 3 id uuid guid number nr nummer type kind person persons first last name date
    time times created modified updated phone telephone mobile fax title salutation role owner source account company
    record the of and at on strasse ort plz land"""
#: Words that forbid as they stand.
_WORDS = frozenset(_WHOLE.split())
#: Beside these, and nothing else, a header speaks of how to reach somebody and of no permission.
_PLAIN = frozenset(_HARMLESS.split())
_WORD = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def may_say_no(header: str) -> bool:
    """Whether a column under a header nobody knows could forbid to mail somebody."""
    text = _CAMEL.sub(" ", header.replace("'", "").replace("’", ""))
    words = [fold(word) for word in _WORD.findall(text)]
    if words and words[-1] == "no":
        words[-1] = "number"  # "Customer no."
    if _PLAIN.issuperset(words):
        return False
    return bool(_WORDS.intersection(words) or _PARTS.search(fold(header)))
