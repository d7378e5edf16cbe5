"""Whether somebody says "leave me alone", in the words people use for it. Pure.

A short "stop" is a no, whatever stands around it; in a longer letter the same word is about something else. Where it
may be either it is a no: nobody is mailed who said so. Every expression here looks at a bounded number of words and has
no repetition inside another, so that no text makes it slow.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

#: Somebody who only wants out writes a line, not a letter.
_SHORT_TEXT = 25
_SHORT_SENTENCE = 12
#: Below that many words stand footers that a mail program quoted without a sign of it.
_LOOKED_AT = 100
_LONGEST_WORD = 40
_LONGEST_GREETING = 60
_MOST_CHARACTERS = 20_000


def _every(words: str) -> frozenset[str]:
    return frozenset(words.split())


#: Words that mean leaving and hardly anything else; accents are gone.
_LEAVING = _every(
    "unsub optout abmelden abmeldung abbestellen abbestellung austragen afmelden afmelding uitschrijven "
    "uitschrijving cancellami cancellatemi cancellarmi rimuovimi rimuovetemi rimuovermi toglietemi toglimi "
    "eliminame elimineme eliminenme borrame borreme borrenme quitame quiteme quitenme saqueme saquenme wypisz wypisac wypisanie avregistrera avprenumerera avmeld "
    "afmeld frameld 退订 退訂 配信停止"
)
_LEAVING_STEMS = (
    "unsubscri", "unsubsci", "unsubcri", "unsuscri", "unsubsri", "desabonn", "desinscr", "disiscri", "descadastr", "desuscri",
    "odhlas", "leiratkoz", "отпис", "отпиш",
)  # fmt: skip
#: Words that mean it when little else is said.
_STOPPING = _every("stop stopp stoppen remove arretez arreter arrete basta aufhoren aufhoeren smettetela")
#: Words that mean it when nothing else is said.
_ALONE = _every(
    "delete cancel quit loschen loeschen entfernen supprimer supprimez verwijder verwijderen rimuovi rimuovere "
    "cancella cancellazione baja cancelar eliminar remover remova sair salir parar pare parem stoppez"
)
#: What says nothing about it.
_POLITE = _every(
    "please pls plz kindly thanks thank you thx many best kind regards cheers hi hello hey dear all team sir madam "
    "now immediately just and ok okay yes no me us at once today asap right away again it this that the these your "
    "of from to i want would like list lists mailing mailings email emails mail mails newsletter newsletters spam "
    "messages sending everything forever "
    "bitte danke vielen dank hallo guten tag liebe viele gruesse grusse gruss mit freundlichen mfg vg lg sofort "
    "jetzt mich von der die liste den verteiler ich mochte moechte "
    "bonjour merci svp sil vous te plait cordialement moi je veux de la hola por favor gracias saludos quiero "
    "darme dar dame deme ciao buongiorno per favore grazie saluti alstublieft alsjeblieft aub dank u wel groet "
    "groeten graag mij ola obrigado obrigada"
)
_GREETINGS = _every(
    "hi hello hey dear good hallo guten liebe lieber sehr bonjour salut hola ola ciao buongiorno beste geachte"
)

_MAILS = r"(?:e?mails?|messages?|newsletters?|mailings?|spam|nachrichten|courriels?|correos?|mensajes|berichten)"
#: Somebody speaks of themselves: a no in a letter of any length.
_ABOUT_ME = re.compile(
    r"\b(?:unsubscribe (?:me|us)"
    r"|(?:remove|delete|erase|drop|strike|scrub) (?:\w+ )?(?:me|us)"
    r"|(?:remove|delete|erase|drop|strike|scrub|take) (?:\w+ )?(?:my|our) (?:\w+ )?"
    r"(?:email|mail|address|name|data|details|contact|contacts|information|info)"
    r"|(?:remove|delete|take) (?:\w+ ){1,4}(?:from|off|of) (?:your|the|this|all|any) (?:\w+ ){0,2}(?:list|lists)"
    r"|(?:i|id|we|wed) (?:(?!(?:not|dont|never|wont)\b)\w+ ){0,4}(?:be|get) (?:removed|deleted|erased|taken) (?:from|off)"
    r" (?:your|the|this|all|any)\b(?! waiting)"
    r"|get (?:me|us) off (?:your|the|this|all|any) (?:\w+ ){0,2}(?:list|lists)"
    r"|take (?:me|us) (?:off|out)|opt (?:me|us) out|leave (?:me|us) alone"
    r"|(?:stop|quit|cease) (?:e?mailing|writing|contacting|spamming|messaging|bothering|harassing|sending)"
    r" (?:\w+ )?(?:me|us)"
    r"|(?:withdraw|revoke) (?:my|our|any|all) (?:\w+ )?consent"
    r"|object to (?:\w+ ){0,5}(?:data|marketing|mailings?|processing|profiling)"
    r"|wider(?:spreche|rufe) (?:\w+ ){0,6}(?:nutzung|verwendung|verarbeitung|einwilligung|zustimmung|zusendung|werbung)"
    r"|retire mon (?:consentement|accord)|moppose a|retiro mi consentimiento|me opongo al? (?:\w+ ){0,3}(?:datos|uso|envio)"
    r"|cessez de (?:m\w+|me \w+)|(?:elimine|borre|quite|saque)n?me de"
    rf"|stop sending (?:\w+ ){{0,2}}{_MAILS}"
    r"|(?:nehmen|nehmt|nimm|losche\w*|loesche\w*|entferne\w*|streiche\w*) (?:sie )?(?:bitte )?(?:mich|meine)"
    r"|mich (?:(?!nicht )\w+ ){0,5}(?:abmelden|austragen|loschen|loeschen|entfernen|streichen)"
    r"|(?:melden|meldet|melde|tragen|tragt|trage) (?:sie )?(?:bitte )?mich (?:\w+ ){0,4}(?:ab|aus)"
    r"|mich in ruhe|me retirer|retirez moi|supprimez (?:moi|mon|mes)|laissez moi tranquille"
    r"|(?:darme|darnos|dame|deme|denme) de baja|me remov\w*|me desinscrev\w*|remova me"
    r"|(?:meld|schrijf) (?:mij|me) (?:\w+ ){0,4}(?:af|uit)|(?:verwijder|haal) (?:mij|me|mijn))\b"
)
#: A no in a short text.
_IN_SHORT = re.compile(
    r"\b(?:opt(?:ing)? out|no longer interested in your \w+|go away"
    rf"|(?:stop|quit|cease) (?:\w+ )?(?:e?mailing|writing|contacting|spamming|sending|bothering|{_MAILS})"
    rf"|no more (?:\w+ )?{_MAILS}|(?:do not|dont|never) (?:\w+ )?(?:e?mail|contact|write|send|message|bother)"
    r" (?:to )?(?:me|us|any|anything)|(?:do not|dont) (?:e?mail|contact)$"
    r"|cease (?:\w+ )?(?:communications?|contact|correspondence)"
    rf"|(?:do not|dont|no longer) (?:want|wish|like|need) (?:\w+ ){{0,4}}(?:{_MAILS}|contacted|hear|receive)"
    rf"|keine (?:\w+ ){{0,2}}(?:{_MAILS}|werbung|post)|nichts? mehr (?:an)?(?:schreiben|mailen|senden|schicken|zusenden|kontaktieren)"
    r"|unterlassen sie|keine (?:\w+ )?zusendungen"
    r"|bitten? um (?:\w+ )?(?:loschung|loeschung)|kein interesse bitte (?:loschen|loeschen)"
    r"|newsletters? (?:\w+ )?(?:kundigen|kuendigen)"
    r"|nichts? mehr von ihnen|(?:horen|hoeren) sie (?:bitte )?auf|mir nichts? mehr"
    rf"|plus (?:de|daucun|aucun) {_MAILS}|ne (?:\w+ ){{1,2}}plus (?:\w+ )?(?:recevoir|ecrire|contacter|envoyer)"
    r"|ne plus (?:\w+ )?(?:recevoir|ecrire|contacter|envoyer|menvoyer|mecrire|mecontacter)"
    r"|ne (?:mecrivez|menvoyez|mecris|menvoie|mecontactez) plus"
    r"|(?:da\w*|den?me|quiero|solicito|pido|causar|tramit\w+) (?:\w+ ){0,2}baja|no deseo (?:\w+ ){0,2}recibir"
    rf"|ya no (?:quiero|deseo) (?:\w+ ){{0,3}}(?:{_MAILS}|recibir|saber)"
    rf"|no (?:quiero )?(?:\w+ )?mas {_MAILS}|no me (?:\w+ )?(?:envi|mand|escrib|contact)\w+"
    r"|(?:deje|dejen|deja) de (?:enviar|escribir|mandar)\w*"
    r"|cancel(?:ar)? (?:\w+ )?(?:subscription|suscripcion|inscricao|assinatura|subscricao)"
    rf"|nao (?:quero|desejo) (?:\w+ ){{0,3}}(?:receber|{_MAILS})|nao me (?:envi|mand|escrev|contat|contact)\w+"
    r"|pare\w* de (?:enviar|mandar|escrever)|sair da lista|annulla\w* (?:\w+ )?l?iscrizione"
    rf"|(?:smettete|smetti) di|non (?:voglio|desidero) (?:piu )?(?:ricevere|{_MAILS})|non (?:scrive|invia|manda)temi"
    rf"|geen (?:\w+ )?{_MAILS}|stop met|niet meer (?:mailen|schrijven|sturen))\b"
)

_NOT = _every("dont not never wont nicht nie pas non niet nao")
_BETWEEN = _every("want to wish please yet like need ever me mich von je mij te veux will mochte vous")
_ABLE = _every("can cant cannot could couldnt able unable kann konnte konnen peux puedo posso kan")
_UNABLE = _every("cannot cant couldnt")
_ASKING = _every(
    "when what which who where how why does do did is are wann was wie warum quand comment que cuando como"
)
_SOMEBODY_ELSE = _every("a an another someone somebody my our other people users him her them one")
_THINGS = _every("the our my a an these those")
_STOP_BY = frozenset({"by", "over"})
_BUS_STOP = frozenset({"non", "one", "bus", "full", "pit", "train"})

_SENTENCE = re.compile(r"[^.!?;\n…]+[.!?;…]*")
_WORD = re.compile(r"[^\W_]+")
_ANSWER_PREFIX = re.compile(r"\s*(?:re|aw|antw|wg|fw|fwd|sv|vs|tr|rv|odp|r|ref)\s?:", re.IGNORECASE)


@dataclass(frozen=True)
class _Sentence:
    words: tuple[str, ...]
    is_question: bool


def wants_out(text: str, subject: str = "") -> bool:
    """Whether this new text, or the subject somebody wrote above it, asks for no more mail."""
    if _subject_wants_out(subject[:200]):
        return True
    sentences = [one for one in map(_read, _SENTENCE.findall(text[:_MOST_CHARACTERS])) if one.words]
    words = [word for one in sentences for word in one.words]
    if _says(_ABOUT_ME, words[:_LOOKED_AT]):
        return True
    seen = 0
    for one in sentences:
        seen += len(one.words)
        if seen > _LOOKED_AT:
            break
        if _is_bare(one.words):
            return True
    first = next((one for one in sentences if not _is_polite(one.words)), None)
    if first is not None and len(first.words) <= _SHORT_SENTENCE and _holds_a_no(first, is_first=True):
        return True
    if len(words) > _SHORT_TEXT:
        return False
    return _says(_IN_SHORT, words) or any(_holds_a_no(one, is_first=False) for one in sentences)


def names_leaving(text: str) -> bool:
    """Whether one of the words stands in it at all."""
    return any(_is_leaving(word) or word in _STOPPING or word in _ALONE for word in _words(text))


def _subject_wants_out(subject: str) -> bool:
    answered = _ANSWER_PREFIX.match(subject)
    while (prefix := _ANSWER_PREFIX.match(subject)) is not None:
        subject = subject[prefix.end() :]
    words = _words(subject)
    # Above an answer stands our own subject, which may be about stopping something.
    return _is_bare(words) or (answered is None and _says(_ABOUT_ME, words))


def _read(sentence: str) -> _Sentence:
    greeting, comma, rest = sentence.partition(",")
    greeted = _words(greeting) if comma and len(greeting) <= _LONGEST_GREETING else []
    if greeted and greeted[0] in _GREETINGS and not names_leaving(greeting):
        sentence = rest
    return _Sentence(tuple(_words(sentence)), sentence.rstrip(" .!…;").endswith("?"))


def _words(text: str) -> list[str]:
    """In small letters without accents, apostrophes and what cannot be seen: `Don’t` is `dont`."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text[:_MOST_CHARACTERS]).casefold())
    plain = "".join(one for one in plain if one not in "'’`´" and unicodedata.category(one) not in {"Mn", "Cf"})
    plain = plain.replace("e-mail", "email").replace("opt-out", "optout")
    plain = plain.replace("un-subscri", "unsubscri").replace("un subscri", "unsubscri")
    return [word[:_LONGEST_WORD] for word in _WORD.findall(plain)]


def _is_leaving(word: str) -> bool:
    return word in _LEAVING or word.startswith(_LEAVING_STEMS)


def _is_bare(words: Sequence[str]) -> bool:
    """Whether nothing but the no is said, however politely."""
    rest = [word for word in words if word not in _POLITE]
    return bool(rest) and all(_is_leaving(word) or word in _STOPPING or word in _ALONE for word in rest)


def _is_polite(words: Sequence[str]) -> bool:
    if all(word in _POLITE for word in words):
        return True
    return words[0] in _GREETINGS and len(words) <= 5 and not any(_is_leaving(one) or one in _STOPPING for one in words)


def _says(phrases: re.Pattern[str], words: Sequence[str]) -> bool:
    """Whether one of the phrases stands there without a "don't" before it."""
    said = " ".join(words)
    return any(not _is_denied(said[: found.start()].split()[-10:]) for found in phrases.finditer(said))


def _holds_a_no(sentence: _Sentence, *, is_first: bool) -> bool:
    words = sentence.words
    for place, word in enumerate(words):
        before, after = words[:place], words[place + 1 :]
        if _is_leaving(word):
            is_able = not _ABLE.isdisjoint(before)
            somebody_else = sentence.is_question and bool(after) and after[0] in _SOMEBODY_ELSE
            if not somebody_else and (is_able or not _is_denied(before)):
                return True
        elif word in _STOPPING and is_first and not _is_other_stop(sentence, place):
            return True
    return False


def _is_other_stop(sentence: _Sentence, place: int) -> bool:
    """Whether something else is to stop, or nothing is."""
    words = sentence.words
    before, after = words[:place], words[place + 1 :]
    if _is_denied(before) or (before and before[-1] in _UNABLE):
        return True
    if words[place] == "stop" and ((after and after[0] in _STOP_BY) or (before and before[-1] in _BUS_STOP)):
        return True
    if before and before[-1] == "to" and "you" not in before and after[:1] and after[0] in _THINGS:
        # "We want to stop the downtime" is why they wrote to us; mails are told from it.
        return not any(re.fullmatch(_MAILS, word) for word in after)
    is_about_us = not after and bool(before) and before[-1] == "you"
    return sentence.is_question and words[0] in _ASKING and not is_about_us


def _is_denied(before: Sequence[str]) -> bool:
    """Whether the words before it end in "don't (want to)"."""
    rest = list(before)
    while rest and rest[-1] in _BETWEEN:
        rest.pop()
    if not rest or rest[-1] not in _NOT:
        return False
    # "Why did you not remove me" denies nothing.
    return rest[-1] != "not" or len(rest) < 2 or rest[-2] in {"do", "please", "will", "would", "should", "can"}
