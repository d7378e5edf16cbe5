"""What was written now: the text of a mail without the mail it answers and without a signature. Pure.

One look at each line, and at no more than 200 of them: anybody may send us anything. Where a line may be either, it
stays, because a word too many costs less than a "stop" too few.
"""

import re

from nurture.inbound.leaving import names_leaving

MOST_CHARACTERS = 20_000
MOST_LINES = 200

_LONGEST_ATTRIBUTION = 400
_ATTRIBUTION_LINES = 4
#: How the line above a quote begins, and the word it holds: "On Tue, 10 Mar 2026 at 10:00, Dana Reed wrote:".
_ATTRIBUTIONS = (
    ("on ", "wrote"),
    ("am ", "schrieb"),
    ("le ", "écrit"),
    ("el ", "escribió"),
    ("op ", "schreef"),
    ("il ", "scritto"),
    ("em ", "escreveu"),
    ("no dia ", "escreveu"),
    ("den ", "skrev"),
    ("w dniu ", "napisał"),
)
_WROTE = tuple({f" {verb}" for _, verb in _ATTRIBUTIONS})
_WROTE_MYSELF = (" i wrote", " schrieb ich", " j'ai écrit", " j’ai écrit")
#: "2016-10-24 15:36 GMT+02:00 Dana Reed <dana@acme.example>:", as Gmail writes it, and "23 mar 2017 21:25 …".
_DATED = re.compile(r"(?:\d{4}-\d\d-\d\d|\d{1,2}[./ ]\s?\S{2,12}[./ ]\s?\d{4})\D{0,8} \d{1,2}:\d\d")
#: What stands in front of a quoted line; some programs draw a bar.
_MARKS = (">", "|")
_TIME = re.compile(r"\d[:.h]\d\d")


def _each(phrases: str) -> tuple[str, ...]:
    return tuple(phrases.split("|"))


_ORIGINAL = _each(
    "original message|original appointment|forwarded message|ursprüngliche nachricht|originalnachricht|"
    "weitergeleitete nachricht|message d'origine|message d’origine|message original|message transféré|"
    "mensaje original|mensaje reenviado|oorspronkelijk bericht|doorgestuurd bericht|messaggio originale|"
    "messaggio inoltrato|mensagem original|mensagem encaminhada|ursprungligt meddelande"
)
_FROM = frozenset({"from", "von", "de", "van", "da", "od", "från", "fra"})
_ABOVE_A_MAIL = frozenset(
    _each(
        "sent|date|to|cc|subject|gesendet|datum|an|betreff|envoyé|date|à|objet|enviado|fecha|para|asunto|verzonden|aan|"
        "onderwerp|inviato|data|a|oggetto|assunto|skickat|till|ämne|wysłano|do|temat"
    )
)
_DEVICES = _each(
    "sent from|sent with|sent via|get outlook for|gesendet von|gesendet mit|von meinem|von meiner|envoyé de|"
    "envoyé depuis|envoyé à partir|enviado desde|enviado do|enviado de|enviado a partir|inviato da|verstuurd vanaf|"
    "verzonden vanaf|skickat från|sendt fra|wysłane z"
)
_MOST_WORDS_OF_A_DEVICE = 8


def new_text(text: str) -> str:
    """The lines somebody wrote themselves; also below a quote, as some people answer."""
    # Neither a NUL nor half a character (UTF-7 can spell one) can be kept.
    text = text[:MOST_CHARACTERS].replace("\0", "").encode(errors="replace").decode()
    lines = [line.strip() for line in text.splitlines()[:MOST_LINES]]
    kept: list[str] = []
    is_signature = False
    place = 0
    while place < len(lines) and not _begins_a_mail(lines, place):
        line = lines[place]
        length, is_certain = _attribution(lines, place)
        is_quoted = line.startswith(_MARKS) or (length > 0 and _next_line(lines, place + length).startswith(_MARKS))
        if is_quoted:
            is_signature = False
        elif length and is_certain:
            break
        else:
            is_signature = is_signature or line == "--"
            if not is_signature and not _names_a_device(line):
                kept.append(line)
            length = 0
        place += length or 1
    return "\n".join(kept).strip()


def _begins_a_mail(lines: list[str], place: int) -> bool:
    line = lines[place]
    if len(line) >= 10 and not line.strip("_"):
        return True
    if line.startswith("--") and line.strip("- ").casefold().startswith(_ORIGINAL):
        return True
    if line.startswith("---- ") and line.endswith(" ----") and any(verb in line.casefold() for verb in _WROTE):
        return True
    if line.casefold() == "begin forwarded message:":
        return True
    if _header(line) not in _FROM:
        return False
    return len({_header(one) for one in lines[place + 1 : place + 6]} & _ABOVE_A_MAIL) >= 2


def _header(line: str) -> str:
    """The name in front of the colon; mail programs make it bold with asterisks."""
    name, colon, _ = line[:30].partition(":")
    return name.strip("* \xa0").casefold() if colon else ""


def _attribution(lines: list[str], place: int) -> tuple[int, bool]:
    """How many lines the one above a quote takes, wrapped as it may be; and whether it can be nothing else."""
    first = lines[place]
    if not any(character.isdigit() or character == "@" for character in first[:_LONGEST_ATTRIBUTION]):
        return 0, False
    joined = ""
    for length, line in enumerate(lines[place : place + _ATTRIBUTION_LINES], 1):
        if not line or line.startswith(">") or len(joined) + len(line) > _LONGEST_ATTRIBUTION:
            break
        joined = f"{joined} {line.casefold()}"
        if line.endswith(":") and not any(one in joined for one in _WROTE_MYSELF):
            dated = bool(_DATED.match(first)) and "<" in joined and "@" in joined
            begun = dated or any(joined.startswith(f" {word}") and f" {verb}" in joined for word, verb in _ATTRIBUTIONS)
            named = "<" in first and "@" in joined and any(verb in joined for verb in _WROTE)
            if begun or (named and not names_leaving(joined)):
                return length, "@" in joined or _TIME.search(joined) is not None
    return 0, False


def _next_line(lines: list[str], place: int) -> str:
    return next((line for line in lines[place:] if line), "")


def _names_a_device(line: str) -> bool:
    """Whether it is "Sent from my iPhone", which its owner did not write."""
    if len(line) > 100 or len(line.split()) > _MOST_WORDS_OF_A_DEVICE or names_leaving(line):
        return False
    return line.casefold().startswith(_DEVICES)
