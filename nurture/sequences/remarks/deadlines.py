"""A deadline that a later mail of the same sequence moves: it was none."""

import html
import re
from datetime import date

from nurture.campaigns import wording
from nurture.rendering.source import MailSource
from nurture.sequences.program import Send
from nurture.sequences.remarks.judged import Judged

_TAG = re.compile(r"<[^>]*>|\{[{%#].*?[}%#]\}", re.DOTALL)
_SENTENCE_END = re.compile(r"[.!?]\s")
_YEAR = re.compile(r"20\d\d")


def moved_deadlines(judged: Judged) -> None:
    """Told at the later mail, when it says of another day what an earlier one says in the very same words."""
    said = {id_: found for id_, mail in judged.mails.items() if (found := _promises(mail))}
    if len(said) <= 1:
        return
    for id_, promises in said.items():
        if not isinstance(judged.program.steps[id_], Send):
            continue
        for earlier in sorted(judged.ways.mails_before(id_) & (set(said) - {id_})):
            moved = [words for words, day in promises.items() if said[earlier].get(words, day) < day]
            if moved and id_ not in judged.ways.mails_before(earlier):
                first, later = said[earlier][moved[0]], promises[moved[0]]
                message = f'this mail moves a deadline to {later} of which "{earlier}" says that it is {first}.'
                hint = "Keep the day that was said, or say that and why it was moved."
                judged.remark("NS249", judged.by_id[id_].mail_path, message, hint)
                break


def _promises(mail: MailSource) -> dict[str, date]:
    """Each sentence with a day by which something is due, without that day, and the day."""
    if not _YEAR.search(mail.body) and not _YEAR.search(mail.subject):
        return {}
    found = {}
    text = " ".join(html.unescape(_TAG.sub(" ", f"{mail.subject}. {mail.body}")).split())
    for sentence in _SENTENCE_END.split(text):
        for day, written in wording.deadlines(sentence):
            found[sentence.replace(written, "").strip(" .!").casefold()] = day
    return found
