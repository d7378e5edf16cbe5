"""What somebody wrote back: which lines are theirs, and whether they say no. None of it makes anything slow."""

import sys
from collections.abc import Callable
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nurture.inbound import bodies, leaving, quotes
from nurture.inbound.bodies import text_of_html
from nurture.inbound.leaving import wants_out
from nurture.inbound.quotes import MOST_CHARACTERS, MOST_LINES, new_text
from nurture.inbound.replies import Reply, read_reply

QUOTED = "> Hello Ana, here is the report.\n> Leave · Unsubscribe: stop e-mailing me\n"


def mail(text: str, *, subject: str = "Re: Your report", html: str = "") -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = subject
    message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    return message


def html_mail(html: str) -> EmailMessage:
    message = EmailMessage()
    message.set_content(html, subtype="html")
    return message


def read(text: str) -> Reply:
    return read_reply(mail(text))


# What is new.

ATTRIBUTIONS = [
    "On Tue, 10 Mar 2026 at 10:00, Dana Reed <dana@acme.example> wrote:",
    "On Tue, 10 Mar 2026 at 10:00, Dana Reed from the team of Acme\n<dana@acme.example> wrote:",
    "Am 10.03.2026 um 10:00 schrieb Dana Reed <dana@acme.example>:",
    "Dana Reed <dana@acme.example> schrieb am Di., 10. März 2026,\n10:00:",
    "Le mar. 10 mars 2026 à 10:00, Dana Reed <dana@acme.example> a écrit\xa0:",
    "El mar, 10 mar 2026 a las 10:00, Dana Reed (<dana@acme.example>) escribió:",
    "Op di 10 mrt 2026 om 10:00 schreef Dana Reed <dana@acme.example>:",
    "Il giorno mar 10 mar 2026 alle ore 10:00 Dana Reed <dana@acme.example> ha scritto:",
    "Em ter., 10 de mar. de 2026 às 10:00, Dana Reed <dana@acme.example> escreveu:",
    "-----Original Message-----",
    "-----Ursprüngliche Nachricht-----",
    "________________________________",
    "From: Dana Reed <dana@acme.example>\nSent: Tuesday, March 10, 2026 10:00\nTo: Ana\nSubject: Your report",
    "*Von:* Dana Reed <dana@acme.example>\n*Gesendet:* Dienstag, 10. März 2026\n*An:* Ana\n*Betreff:* Ihr Bericht",
    "De : Dana Reed <dana@acme.example>\nEnvoyé : mardi 10 mars 2026\nÀ : Ana\nObjet : Votre rapport",
]


@pytest.mark.parametrize("attribution", ATTRIBUTIONS)
@pytest.mark.parametrize("quoted", [QUOTED, QUOTED.replace("> ", "")])
def test_what_is_quoted_is_not_new_in_whatever_way_a_mail_program_says_so(attribution: str, quoted: str) -> None:
    assert new_text(f"Thanks, very useful.\n\n{attribution}\n\n{quoted}") == "Thanks, very useful."


def test_what_stands_below_and_between_quotes_is_new() -> None:
    assert new_text(f"{ATTRIBUTIONS[0]}\n{QUOTED}\nFirst.\n{QUOTED}\nSecond.").split() == ["First.", "Second."]


@pytest.mark.parametrize(
    "ending",
    [
        "-- \nBob\nUnsubscribe Ltd",
        "--\nBob",
        "Sent from my iPhone",
        "Von meinem iPhone gesendet",
        "Get Outlook for iOS",
        "Envoyé de mon iPhone",
        "Enviado desde mi iPhone",
        "Verstuurd vanaf mijn iPhone",
    ],
)
def test_a_signature_is_not_new(ending: str) -> None:
    assert new_text(f"See you on Friday.\n\n{ending}") == "See you on Friday."


@pytest.mark.parametrize(
    "text",
    [
        "On 3 March at 10:00 I wrote:\nplease stop mailing me",
        "On the 3rd your colleague wrote:\nplease stop mailing me",
        "From: somebody who is annoyed.\nplease stop mailing me",
        "Sent from my heart: please stop mailing me",
        "-- \nBob\n\n> Hello Ana\n\nplease stop mailing me",
    ],
)
def test_what_only_looks_like_a_quote_or_a_signature_hides_no_no(text: str) -> None:
    assert "please stop mailing me" in new_text(text)
    assert read(text).wants_out


# A no.

WORDS = [
    "stop", "unsubscribe", "unsub", "remove", "remove me", "opt out", "opt-out", "delete me from your list",
    "remove my email from your list", "take me off your list", "stop mailing me", "stop e-mailing me",
    "don't write to me", "do not contact me", "no more mails", "leave me alone", "quit", "cancel",
    "abmelden", "abbestellen", "austragen", "bitte melden Sie mich ab", "keine weiteren E-Mails",
    "bitte nehmen Sie mich aus dem Verteiler", "désabonner", "me désabonner", "désinscrire", "désinscription",
    "ne m'écrivez plus", "supprimez mon adresse", "baja", "darme de baja", "no más correos", "cancelar suscripción",
    "descadastrar", "cancelar inscrição", "não quero receber", "remover", "me remova da lista",
    "cancellami", "disiscrivermi", "disiscrivimi", "rimuovimi", "afmelden", "uitschrijven", "schrijf mij uit",
]  # fmt: skip
GREETINGS = ["", "Hi,\n\n", "Hi Dana, ", "Dear Mr Reed,\n", "Hallo,\n", "Sehr geehrte Frau Reed,\n\n", "Bonjour,\n"]
THANKS = ["", " thanks", ".\nThank you!", ", please", "\n\nVielen Dank", "\nMany thanks and best regards"]
SIGNATURES = ["", "\n\nSent from my iPhone", "\n-- \nBob", "\n\nBob", "\n\nVon meinem iPhone gesendet", "\n--\nBob Ltd"]


@given(
    st.sampled_from(WORDS),
    st.sampled_from([str.lower, str.upper, str.capitalize, str.title, str.swapcase]),
    st.sampled_from(["", ".", "!", "!!!", "...", " ", "?", "…"]),
    st.sampled_from(GREETINGS),
    st.sampled_from(THANKS),
    st.sampled_from(SIGNATURES),
    st.sampled_from(["", *(f"\n\n{one}\n{QUOTED}" for one in ATTRIBUTIONS)]),
)
@settings(max_examples=400)
def test_a_no_is_one_in_any_case_with_any_politeness_around_it(
    word: str, case: Callable[[str], str], mark: str, greeting: str, thanks: str, signature: str, quote: str
) -> None:
    text = f"{greeting}{case(word)}{mark}{thanks}{signature}{quote}"
    assert read(text).wants_out, text


@pytest.mark.parametrize(
    "text",
    [
        "Stop\n\nSent from my iPhone", "Please stop.", "Stop\n-- \nBob", "Stop please", "*STOP*", "_stop_",
        "S\u00adTOP", "Could you please stop?", "When will you stop?", "How do I unsubscribe?",
        "Why can't I unsubscribe?", "I cannot unsubscribe from this.", "Not interested, stop.",
        "I do not want any more emails", "Why have you not removed me? Remove me now.", "Stop sending me this",
        "Thanks, but no.\n\nStop.\n\n" + "This message is confidential. " * 30,
        "Please unsubscribe me. " + "I have moved to another company. " * 10,
        "We met once in Berlin and I liked it. " * 3 + "All the same, please remove me from your list.",
    ],
)  # fmt: skip
def test_who_says_no_in_their_own_way_is_understood(text: str) -> None:
    assert read(text).wants_out


A_LONGER_LETTER = """\
The line ran for nine years before anybody asked what it costs to stop it for a day, and nobody dares to unsubscribe
from the support of its vendor; what do others do?"""


@pytest.mark.parametrize(
    "text",
    [
        "", "Thanks, very useful.", "Please don't stop writing", "Please do not remove me from the list!",
        "I don't want to unsubscribe", "Ich will mich nicht abmelden", "When does the offer stop?",
        "How do I unsubscribe a colleague?", "How do you stop leads from going cold?", "I'll stop by tomorrow.",
        "We cannot stop the line.", f"{ATTRIBUTIONS[0]}\n{QUOTED}",
        "Sounds good, talk on Friday.\n\nIf you are not the intended recipient, notify us and delete this email.",
        A_LONGER_LETTER,
    ],
)  # fmt: skip
def test_who_speaks_of_something_else_stays(text: str) -> None:
    assert not read(text).wants_out


@pytest.mark.parametrize(
    "subject", ["STOP", "Unsubscribe", "Re: STOP", "please remove me", "Stop mailing me", "Abmelden"]
)
def test_a_no_in_the_subject_is_one_with_nothing_below_it(subject: str) -> None:
    assert read_reply(mail("", subject=subject)).wants_out
    assert read_reply(mail("Sent from my iPhone", subject=subject)).wants_out


@pytest.mark.parametrize("subject", ["Re: Stop losing leads", "AW: How to unsubscribe gracefully", "Your report", ""])
def test_our_own_subject_above_an_answer_is_no_no(subject: str) -> None:
    assert not read_reply(mail("Thanks!", subject=subject)).wants_out


# From HTML.

STYLE = "<html><head><title>x</title><style>p {margin: 0} /* stop */</style></head><body>"
QUOTE = "<blockquote type=cite><div>Leave or <a href='x'>unsubscribe</a></div><blockquote>x</blockquote></blockquote>"


@pytest.mark.parametrize(
    "quote",
    [
        "",
        QUOTE,
        f"<div class='moz-cite-prefix'>On 10.03.26 10:00, Dana Reed wrote:<br></div>{QUOTE}",
        f"<div class='gmail_quote'><div>On Tue Dana wrote:</div><div>Unsubscribe</div>{QUOTE}</div>",
        "<hr><p><b>From:</b> Dana<br><b>Sent:</b> Tuesday<br><b>To:</b> Ana</p><p>Unsubscribe</p>",
    ],
)
def test_html_is_read_without_its_style_and_without_what_it_quotes(quote: str) -> None:
    for said, is_no in (("Stop", True), ("Thanks, see you on Friday", False)):
        reply = read_reply(html_mail(f"{STYLE}<p>{said}</p><script>stop()</script><!-- stop -->{quote}</body></html>"))
        assert reply == Reply(said, wants_out=is_no, is_automatic=False)


def test_an_empty_plain_part_does_not_hide_the_other() -> None:
    assert read_reply(mail("\n", html="<div>St<b>op</b></div>")).wants_out


def test_what_stands_below_a_quote_in_html_is_new() -> None:
    assert text_of_html(f"{QUOTE}<p>I &lt;3 it, a < b</p>").splitlines() == [">", "I <3 it, a < b"]


def test_a_number_of_thousands_of_digits_is_no_character() -> None:
    assert "Stop" in text_of_html(f"<p>Stop</p>&#{'9' * 5000};")


# The work.

MODULES = {Path(str(one.__file__)).name: str(one.__file__) for one in (bodies, quotes, leaving)}


def lines_run(work: Callable[[], object]) -> int:
    """How many lines of the readers of a mail are run, which no machine makes more or fewer."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        if frame.f_code.co_filename not in MODULES.values():
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


HOSTILE = [
    "\n",
    "Am x schrieb ",
    "On 1 @\n",
    "From:\n",
    "> \n",
    "--\n",
    "stop sending a ",
    "remove ",
    "a:\n",
    ". ",
    "\r",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_no_more_than_the_first_lines_of_a_mail_are_looked_at(piece: str) -> None:
    text = (piece * (100_000 // len(piece)))[:100_000]
    looked_at = "\n".join(text[:MOST_CHARACTERS].splitlines()[:MOST_LINES]) + "\n"
    assert new_text(text) == new_text(looked_at)
    assert lines_run(lambda: new_text(text)) == lines_run(lambda: new_text(looked_at))
    assert lines_run(lambda: new_text(text)) < 200 * MOST_LINES


def test_a_line_beyond_the_last_one_looked_at_is_not_read() -> None:
    assert new_text("\n" * (MOST_LINES - 1) + "last\nnever") == "last"
    assert new_text("x" * MOST_CHARACTERS + "never") == "x" * MOST_CHARACTERS


@given(
    st.lists(st.sampled_from([*HOSTILE, "x", "@", "1", ":", "wrote", "\0", "\ud800", "é"]), max_size=300).map("".join)
)
@example("\n" * 9_000)
@example("\n" * 20_000)
@example("Am x schrieb " * 307)
@settings(max_examples=100)
def test_any_text_is_read_in_work_that_grows_with_its_length(text: str) -> None:
    def work() -> None:
        wants_out(new_text(text), text)

    assert lines_run(work) < 20_000 + 40 * min(len(text), MOST_CHARACTERS)


PIECES = [
    "<",
    "<!--",
    "<head>",
    "<style>",
    "<title></title>",
    "<blockquote>",
    "</blockquote>",
    "<div>",
    "&",
    "&#9",
    ">",
]


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map("".join))
@settings(max_examples=60)
def test_html_is_read_in_work_that_grows_with_its_length(piece: str) -> None:
    few, many = (lines_run(partial(text_of_html, piece * times)) for times in (50, 500))
    assert many <= 11 * few + 200
