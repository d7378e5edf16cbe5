"""One mistake for every code that `nurture check` knows: the smallest file that has it, and what to do about it.

The pages show what the real checks say about these files, so an example that no longer fails, or fails otherwise, is
found by the test that holds the pages against the code.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from nurture.app import open_app
from nurture.campaigns.publishing import read_workspace
from nurture.campaigns.reading import Problem
from nurture.campaigns.silencing import REMARKS
from nurture.cli.expecting import find_breaches
from nurture.clock import SteppedClock
from nurture.delivery.notices import KIND as SERVICE
from nurture.rendering.source import CODES
from nurture.settings import read_settings
from tests.support.workspaces import LETTER, SETTINGS, write

SEQUENCE = "campaigns/sequences/welcome.yaml"
NEWSLETTER = "campaigns/newsletters/weekly/newsletter.yaml"
ANNOUNCEMENT = "campaigns/newsletters/weekly/announcement.md"
SCORING = "campaigns/scoring.yaml"
HANDOFF = "campaigns/handoff.yaml"
CONSENT = "campaigns/consent.yaml"
FORMS = "campaigns/forms.yaml"
QUESTIONS = "campaigns/questions.yaml"
MAIL = "templates/report.mjml"
#: The day on which the examples are looked at, so that the page is the same tomorrow.
_TODAY = datetime(2026, 3, 10, tzinfo=UTC)


@dataclass(frozen=True)
class Mistake:
    """A file with one mistake in it, beside files that have none."""

    code: str
    do: str
    file: str
    text: str
    means: str = ""  # of remarks and of rendering's own codes it stands beside the code: in `REMARKS` and `CODES`
    beside: Mapping[str, str] = field(default_factory=dict)

    @property
    def meaning(self) -> str:
        """What the code says, as a sentence."""
        text = self.means or REMARKS.get(self.code) or CODES[self.code]
        return f"{text[0].upper()}{text[1:]}."


def sequence(steps: str, above: str = "") -> str:
    """A sequence around some steps."""
    return f"format: 1\nsequence: welcome\ntopic: insights\n{above}steps:\n{steps}"


def question(lines: str) -> str:
    """One question with some lines."""
    return f"format: 1\nquestions:\n  timing:\n    text: When does it have to work?\n{lines}"


def form(lines: str) -> str:
    """A form with some lines more."""
    return (
        "format: 1\nforms:\n  newsletter:\n    title: The letter\n    topics: [insights]\n"
        f'    consent: "Yes, send me the letter."\n{lines}'
    )


def mail(line: str) -> str:
    """A mail around one line."""
    return (
        f"<mjml><mj-body><mj-section><mj-column>\n{line}\n<mj-text>{{{{ sender.postal_address }}}} "
        '<a href="{{ leave_url }}">Leave</a></mj-text>\n</mj-column></mj-section></mj-body></mjml>\n'
    )


_NEWSLETTER = """\
format: 1
newsletter: weekly
topic: insights
owner: dana@acme.example
audience: "True"
schedule: {every: week, on: tue, at: "09:00"}
layout: plain
"""
_LAYOUT = mail("{% block content %}{% endblock %}")
_LETTER = "---\nsubject: A letter from us\nlayout: plain\n---\nWe begin a letter.\n"
_ISSUE = "---\nnumber: 1\nsubject: Five questions\n---\nFive questions.\n"
_AROUND_NEWSLETTER = {NEWSLETTER: _NEWSLETTER, ANNOUNCEMENT: _LETTER, "templates/layouts/plain.mjml": _LAYOUT}
_LAYOUT_AND_MAIL = {"templates/layouts/plain.mjml": _LAYOUT}
_SEND = "  - {id: report, send: report, subject: Your report}\n"
_SENDING = {SEQUENCE: sequence(_SEND)}
_ANSWERS = """\
    sets: timing
    answers:
      - {label: This quarter, value: "yes"}
      - {label: Later, value: "no"}
"""
_PART = "{% if mail.question %}<mj-text>{{ mail.question.text }}</mj-text>{% endif %}\n"
_ASKING = {**_SENDING, "templates/parts/question.mjml": _PART}


def _silencing(silence: str) -> str:
    return f"---\nsilence: {silence}\n---\n{LETTER}"


MISTAKES = (
    Mistake(
        "NS001", "Mend the line; most often a quote or a bracket is never closed.", SEQUENCE,
        'format: 1\nsequence: "welcome\n', "the file is not YAML, or not UTF-8 text",
    ),
    Mistake(
        "NS002", "Take the nearest known key, or look the key up in [yaml.md](yaml.md).", SEQUENCE,
        sequence(_SEND, "senders: owner\n"), "a key that this file does not have",
    ),
    Mistake(
        "NS003", "Add the key.", SEQUENCE,
        "format: 1\nsequence: welcome\nsteps:\n" + _SEND, "something that must be given is missing",
    ),
    Mistake(
        "NS004", "Write a value as [yaml.md](yaml.md) shows it for this key.", SEQUENCE,
        sequence("  - wait: 3 dayz\n"), "a value that cannot stand here",
    ),
    Mistake(
        "NS005", "Mend the condition at that column; [its language](sequences.md#conditions) is small.", SEQUENCE,
        sequence(_SEND, 'enroll: {when: contry == "DE"}\n'), "a condition that cannot be read",
    ),
    Mistake(
        "NS010", "Say below `[senders.default]` from which address mail comes.", "settings.toml",
        SETTINGS.replace('email = "dana@acme.example"', 'email = ""', 1), "nobody is named as the sender of mail",
    ),
    Mistake(
        "NS011", "Write your postal address below `[senders.default]`.", "settings.toml",
        SETTINGS.replace("Acme, 12 Example Street, Berlin", ""), "the postal address that the law wants in every mail is missing",
    ),
    Mistake(
        "NS012", "Add a topic: what contacts get mail about, and agree to.", "settings.toml",
        SETTINGS.replace('[[topics]]\nname = "insights"\nlabel = "Insights"\n', ""), "no topic is declared",
    ),
    Mistake(
        "NS013", "Add the domain to `senders.domains` if it is yours; write from one that is otherwise.", "settings.toml",
        SETTINGS.replace('domains = ["acme.example"]', 'domains = ["acme.test"]', 1),
        "a sender writes from a domain that is not named as ours",
    ),
    Mistake(
        "NS014", "Write from an address that somebody reads.", "settings.toml",
        SETTINGS.replace('email = "dana@acme.example"', 'email = "no-reply@acme.example"', 1),
    ),
    Mistake(
        "NS015", "Write a person's name; readers answer people.", "settings.toml",
        SETTINGS.replace('name = "Dana Reed"', 'name = "Acme Team"', 1),
    ),
    Mistake(
        "NS016", "Write from a domain of your own, or let the provider of that mailbox relay your mail.", "settings.toml",
        SETTINGS.replace('email = "dana@acme.example"', 'email = "dana.acme@gmail.com"', 1),
        "mail would be from a domain of free mail whose own relay does not carry it",
    ),
    Mistake(
        "NS017", "Give the newsletter a sender below your domain, or silence this if the two are one person's mail.",
        NEWSLETTER, _NEWSLETTER,
        beside={**_AROUND_NEWSLETTER, "settings.toml": SETTINGS + '\n[smtp]\nhost = "smtp.relay.example"\n'},
    ),
    Mistake(
        "NS018", "Set relays.accepts to the bases that its terms leave room for; mail to everybody else is held then.",
        "settings.toml", SETTINGS + '\n[[relays]]\nname = "news"\nhost = "smtp-broadcasts.postmarkapp.com"\n',
    ),
    Mistake(
        "NS019", "Write from an address that every server can spell.", "settings.toml",
        SETTINGS.replace('email = "dana@acme.example"', 'email = "jörg@acme.example"', 1),
    ),
    Mistake(
        "NS020", "Write why the remark is wrong here; whoever comes next will want to know.", MAIL,
        _silencing('{NT401: ""}'), "a silence without a reason", _SENDING,
    ),
    Mistake(
        "NS021", "Mend what is an error; take the nearest code if it was misspelt.", MAIL,
        _silencing('{NT203: "we like it"}'), "a silence of something that cannot be silenced", _SENDING,
    ),
    Mistake(
        "NS022", "Take the silence away: what it was for is mended.", MAIL,
        _silencing('{NT401: "the text tells it"}'), beside=_SENDING,
    ),
    Mistake(
        "NS201", "Give one of the two another id.", SEQUENCE,
        sequence(_SEND + "  - {id: report, wait: 3 days}\n"), "two steps have one id",
    ),
    Mistake(
        "NS202", "Make two steps of it.", SEQUENCE,
        sequence(_SEND + "  - {wait: 3 days, tag: reader}\n"), "a step that does two things",
    ),
    Mistake(
        "NS203", "Take one of the steps there are.", SEQUENCE,
        sequence(_SEND + "  - {wiat: 3 days}\n"), "a step that does nothing known",
    ),
    Mistake(
        "NS204", "Give one of the two another name.", SEQUENCE,
        sequence(_SEND), "two sequences have one name",
        {"campaigns/sequences/first.yaml": sequence(_SEND)},
    ),
    Mistake(
        "NS205", "Declare the topic in settings.toml, or take one that is there.", SEQUENCE,
        sequence(_SEND).replace("topic: insights", "topic: insight"), "a topic that settings.toml does not declare",
    ),
    Mistake(
        "NS206", "Declare the sender as `[senders.named.NAME]`, or write `default` or `owner`.", SEQUENCE,
        sequence(_SEND, "sender: press\n"), "a sender that settings.toml does not declare",
    ),
    Mistake(
        "NS207", 'Name a mail that this sequence sends; `"campaign/mail"` names one of another campaign.', SEQUENCE,
        sequence(_SEND + '  - {if: clicked("case-study"), then: [{tag: reader}]}\n'),
        "a condition asks about a mail that this sequence never sends",
    ),
    Mistake(
        "NS208", "Take the nearest known field; notes and tasks know the contact only.", SEQUENCE,
        sequence(_SEND + '  - task: "Call {{ contact.frist_name }}"\n'), "a note or task whose text cannot be filled",
    ),
    Mistake(
        "NS209", "Set another field; these follow from what people did or are.", SEQUENCE,
        sequence(_SEND + "  - {set: {score: 100}}\n"), "a field that nobody can set",
    ),
    Mistake(
        "NS210", "Write a value of the field's type.", SEQUENCE,
        sequence(_SEND + "  - {set: {company_size: many}}\n"), "a field is set to something it cannot hold",
    ),
    Mistake(
        "NS211", "Go to a step of this file, by its id.", SEQUENCE,
        sequence(_SEND + "  - wait: 7 days\n  - {goto: reprot, at_most: 3}\n"), "a `goto` to a step that is not there",
    ),
    Mistake(
        "NS212", "Name a field that settings.toml declares as a date.", SEQUENCE,
        sequence(_SEND + '  - {wait: {until: company_size - 30 days, at: "09:00"}}\n'), "a moment that rests on no date field",
    ),
    Mistake(
        "NS213", 'Write "owner", or the address of somebody declared below `[[operators]]`.', SEQUENCE,
        sequence(_SEND + "  - {task: {what: Call them, to: luis@acme.exmaple}}\n"), "a task or note for somebody who does not work here",
    ),
    Mistake(
        "NS214", "Ask for a link that the mail has: by its path, or by the words it stands on.", SEQUENCE,
        sequence(_SEND + '  - {if: \'clicked("report", link="/pricng")\', then: [{tag: buyer}]}\n'),
        "a condition asks about a link that no mail before it has",
    ),
    Mistake(
        "NS215", "Write that sequence, or mend its name.", SEQUENCE,
        sequence(_SEND + "  - {enroll: onboarding}\n"), "a sequence is named that is not there",
    ),
    Mistake(
        "NS216", "Write one question about something people do; a condition of several belongs to `when`.", SEQUENCE,
        sequence(_SEND, "enroll: {did: clicked() or replied()}\n"), "`did` is not one thing somebody does",
    ),
    Mistake(
        "NS217", "Send fields that contacts have.", SEQUENCE,
        sequence(_SEND + '  - {webhook: {url: "https://crm.acme.example/hook", send: [email, scroe]}}\n'),
        "a call sends a field that contacts do not have",
    ),
    Mistake(
        "NS218", "Leave to nurture what it writes itself, and keep secrets out: receivers check the signature.", SEQUENCE,
        sequence(_SEND + '  - {webhook: {url: "https://crm.acme.example/hook", headers: {Host: crm}}}\n'),
        "a call that would not be made as it is written",
    ),
    Mistake(
        "NS219", "Say after how long they may come again.", SEQUENCE,
        sequence(_SEND, 'enroll: {when: in_list("readers"), again: always}\n'), "whoever meets `when` would come in without end",
    ),
    Mistake(
        "NS220", "Write the announcement, or name the file it stands in.", NEWSLETTER,
        _NEWSLETTER + "announcement: hello.md\n", "a newsletter has no announcement", _LAYOUT_AND_MAIL,
    ),
    Mistake(
        "NS221", "Give the folder and the newsletter the same name.", NEWSLETTER,
        _NEWSLETTER.replace("newsletter: weekly", "newsletter: monthly"), "a newsletter and its folder differ in name",
        _AROUND_NEWSLETTER,
    ),
    Mistake(
        "NS222", "Give the later one the next number.", "campaigns/newsletters/weekly/night-shift.md",
        _ISSUE, "two issues have one number", {**_AROUND_NEWSLETTER, "campaigns/newsletters/weekly/first.md": _ISSUE},
    ),
    Mistake(
        "NS223", "Write the layout, or mend its name.", NEWSLETTER,
        _NEWSLETTER.replace("layout: plain", "layout: plane"), "a newsletter names a layout that is not there",
        _AROUND_NEWSLETTER,
    ),
    Mistake(
        "NS224", "Name the announcement's file alone, and put its text there instead of a link.", NEWSLETTER,
        _NEWSLETTER + "announcement: ../monthly/announcement.md\n", "an announcement or issue lies outside its folder",
        _LAYOUT_AND_MAIL,
    ),
    Mistake(
        "NS230", "Take a name that is known, or declare the field in settings.toml.", MAIL,
        mail('<mj-text>Hello {{ contact.frist_name | fallback("there") }}</mj-text>'),
        "a mail prints something nobody knows about the contact, the owner, the sender or the mail", _SENDING,
    ),
    Mistake(
        "NS231", "Make it simpler; the message says what was too much, or went wrong.", MAIL,
        mail("<mj-text>{% for one in range(2000) %}x{% endfor %}</mj-text>"),
        "a mail cannot be rendered even for somebody who has every field", _SENDING,
    ),
    Mistake(
        "NS240", "Say it in 60 characters; fields count with an ordinary value.", SEQUENCE,
        sequence('  - {id: report, send: report, subject: "How 42 plants plan their week, and what it costs them every year"}\n'),
    ),
    Mistake(
        "NS241", 'Write `| fallback("there")`, or put the space into the `{% if %}`.', MAIL,
        mail('<mj-text>Hi {{ contact.first_name | fallback("") }}, here is your report.</mj-text>'), beside=_SENDING,
    ),
    Mistake(
        "NS242", "Write a subject that says what is in the mail.", SEQUENCE,
        sequence('  - {id: report, send: report, subject: "Re: your report"}\n'),
    ),
    Mistake(
        "NS243", "Bring something new, or leave the mail out.", MAIL,
        mail("<mj-text>I am just checking in.</mj-text>"), beside=_SENDING,
    ),
    Mistake(
        "NS244", "Name a date that is the same for all, or take the deadline away.", MAIL,
        mail("<mj-text>The offer ends tomorrow.</mj-text>"), beside=_SENDING,
    ),
    Mistake(
        "NS245", "Write the new date, or take the mail out.", MAIL,
        mail("<mj-text>Register by 3 March 2026.</mj-text>"), beside=_SENDING,
    ),
    Mistake(
        "NS246", "Turn the sentences round, and say what the reader has of it.", MAIL,
        mail(f"<mj-text>{'We made our product better. ' * 3}</mj-text>"), beside=_SENDING,
    ),
    Mistake(
        "NS247", "Link to something that is useful without you, or write `kind: ask`.", MAIL,
        mail('<mj-text><a href="https://acme.example/book-a-demo">See it</a></mj-text>'), beside=_SENDING,
    ),
    Mistake(
        "NS248", "Ask one question, or link to what is asked for.", MAIL,
        mail("<mj-text>It would be good to talk.</mj-text>"),
        beside={SEQUENCE: sequence("  - {id: report, send: report, subject: Your report, kind: ask}\n")},
    ),
    Mistake(
        "NS249", "Keep the day that was said, or say why it was moved.", SEQUENCE,
        sequence(
            "  - {id: offer, send: report, subject: The offer ends 31 March 2026}\n  - wait: 7 days\n"
            "  - {id: still, send: report, subject: The offer ends 15 April 2026}\n"
        ),
    ),
    Mistake(
        "NS250", "Take the step out, or move it before the one that ends the sequence or goes back.", SEQUENCE,
        sequence(_SEND + "  - end: done\n  - {tag: reader}\n"), "a step that nobody ever gets to",
    ),
    Mistake(
        "NS251", "Take out what contradicts the rest; in an `elif`, ask for the special case first.", SEQUENCE,
        sequence(_SEND + "  - {if: company_size > 50 and company_size < 10, then: [{tag: reader}]}\n"),
        "a condition that holds of nobody",
    ),
    Mistake(
        "NS252", "Put a wait on every way round. A date that has passed, and what has happened already, makes nobody wait.",
        SEQUENCE, sequence("  - {id: again, tag: reader}\n  - {goto: again, at_most: 3}\n"), "a loop without a wait",
    ),
    Mistake(
        "NS253", "Give it a day that is neither a holiday nor a blackout day of settings.toml.", SEQUENCE,
        sequence(_SEND, "window: {days: mon-fri}\n"), "a window that never opens",
        {"settings.toml": SETTINGS + '[sending]\nblackout = ["2026-01-01..2029-12-31"]\n'},
    ),
    Mistake(
        "NS254", "Ask after the mail was sent; `ever=True` asks about all time and every campaign.", SEQUENCE,
        sequence('  - {if: clicked("report"), then: [{tag: reader}]}\n' + _SEND),
        "a condition asks about a mail before it is sent, or about meetings that no mail offers",
    ),
    Mistake(
        "NS255", "Ask about a mail that the arms send, or that comes after them.", SEQUENCE,
        sequence(
            _SEND + "  - wait: 3 days\n  - split:\n      a: {steps: [{tag: a}, {end: a}]}\n      b: {steps: [{tag: b}, {end: b}]}\n"
            '    winner: {goal: replied("late")}\n  - {id: late, send: report, subject: Late}\n'
        ),
        "the goal of an A/B test that no arm reaches",
    ),
    Mistake(
        "NS256", "Put a wait before the step in one of them, or end the circle.", SEQUENCE,
        sequence(_SEND + "  - {enroll: welcome}\n"), "sequences that pass people round in a circle without a wait",
    ),
    Mistake(
        "NS290",
        "Mend the sequence, or expect less. Only `nurture check --simulate` looks: it lets 400 invented people live "
        "through every sequence that has `expect:`, and names the first for whom a sentence does not hold.", SEQUENCE,
        sequence(_SEND, "expect: [no send on a weekend]\n"), "what a sequence's file expects does not hold for everybody",
    ),
    Mistake(
        "NS291", "Name a step of this sequence.", SEQUENCE,
        sequence(_SEND, "expect: [at least 5 % reach reprot]\n"), "an expectation names a step that is not there",
    ),
    Mistake(
        "NS301", "Give three times before you ask: jab, jab, jab, right hook. What invited an earlier ask is the reason to silence this.",
        SEQUENCE, sequence(
            _SEND + "  - wait: 3 days\n  - {id: more, send: report, subject: More of it}\n  - wait: 3 days\n"
            "  - {id: talk, send: report, subject: Shall we talk?, kind: ask}\n"
        ),
    ),
    Mistake(
        "NS302", "Say how often with `at_most`.", SEQUENCE,
        sequence(_SEND + "  - wait: 30 days\n  - {goto: report}\n"),
    ),
    Mistake(
        "NS303", "Write the new date, or take the step out.", SEQUENCE,
        sequence("  - {wait: {until: 2026-03-01}}\n" + _SEND),
    ),
    Mistake(
        "NS304", "Go to the question itself, or move the step out of the branch.", SEQUENCE,
        sequence(
            "  - {id: size, if: company_size > 50, then: [{id: large, tag: large}]}\n  - wait: 3 days\n"
            "  - {goto: large, at_most: 1}\n"
        ),
    ),
    Mistake(
        "NS305", "Make the hours longer, or choose others: clocks jump at night.", SEQUENCE,
        sequence(_SEND, 'window: {hours: "02:00-03:00", timezone: Europe/Berlin}\n'),
    ),
    Mistake(
        "NS306", "Leave the question out, or ask what tells people apart.", SEQUENCE,
        sequence(_SEND + "  - {if: company_size > 50 or not (company_size > 50), then: [{tag: reader}]}\n"),
    ),
    Mistake(
        "NS307", "Put a wait of a day or more between them. What is waited for is counted as coming at once, a date as passed; windows "
        "and caps, which would hold the second back, are not counted.", SEQUENCE,
        sequence(_SEND + "  - wait: 6 hours\n  - {id: more, send: report, subject: More of it}\n"),
    ),
    Mistake(
        "NS308", "Let something that everybody can do lead there too: an answer, a booking, time.", SEQUENCE,
        sequence(_SEND + '  - wait: 3 days\n  - {if: clicked("report"), then: [{hand_off: {}}]}\n'),
    ),
    Mistake(
        "NS309", 'Ask `tracked_for("180 days")` as well: then it is asked only of those of whom we would know.', SEQUENCE,
        sequence(_SEND + "  - wait: 30 days\n  - {if: not opened(), then: [{list: {leave: readers}}]}\n"),
    ),
    Mistake(
        "NS232", "Write the question in campaigns/questions.yaml, or mend its name.", MAIL,
        mail('{{ question("timng") }}'), "a mail asks a question that is not there",
        beside={**_ASKING, QUESTIONS: question(_ANSWERS)},
    ),
    Mistake(
        "NS350", "Name a field of settings.toml, or `authority`, `budget` or `timing`.", QUESTIONS,
        question(_ANSWERS.replace("sets: timing", "sets: timming")), "an answer sets nothing that there is",
    ),
    Mistake(
        "NS351", "Write a value that fits what the answer sets; the label may say it in any words.", QUESTIONS,
        question(_ANSWERS.replace('"no"', "never")), "an answer has a value that does not fit what it sets",
    ),
    Mistake(
        "NS352", "Let each answer say something else.", QUESTIONS,
        question(_ANSWERS.replace("Later", "this quarter")), "two answers to a question are called alike",
    ),
    Mistake(
        "NS353", "Write the language as its code, with a label for each answer.", QUESTIONS,
        question(_ANSWERS + "    translations: {German: {text: Wann?, answers: [Jetzt, Später]}}\n"),
        "a translation of a question does not fit it",
    ),
    Mistake(
        "NS310", "Ask about something people do, or move the rule to `fit`.", SCORING,
        "format: 1\nactivities:\n  - {when: company_size > 50, points: 10}\n",
        "a rule for activities asks about none",
    ),
    Mistake(
        "NS311", "Move the rule to `activities`.", SCORING,
        "format: 1\nfit:\n  - {when: clicked(), points: 10}\n", "a rule for fit asks what people did",
    ),
    Mistake(
        "NS312", "Let A begin at the most points, then B, C and D.", SCORING,
        "format: 1\ngrades: {A: 10, B: 20}\n", "a better grade begins at fewer points than a worse one",
    ),
    Mistake(
        "NS313", "Say in `grades` at how many points that grade begins.", SCORING,
        "format: 1\nthreshold: {score: 60, fit: B}\ngrades: {A: 40}\n",
        "the line that makes somebody sales-ready asks for a grade nobody gets",
    ),
    Mistake(
        "NS314", "Ask it in a sequence, a segment or an audience.", SCORING,
        "format: 1\nactivities:\n  - {when: clicked() and mailed(), points: 10}\n",
        "a rule for points asks what we did or may see, not what people did or who they are",
    ),
    Mistake(
        "NS315", "Let the grade begin lower, or give more points for fit.", SCORING,
        "format: 1\nthreshold: {fit: B}\nfit:\n  - {when: company_size > 50, points: 20}\ngrades: {B: 25}\n",
    ),
    Mistake(
        "NS320", "Name somebody who is declared below `[[operators]]`, by address.", HANDOFF,
        "format: 1\ndefinition: Wants to talk.\nfallback: somebody@acme.example\n"
        "rules:\n  - {when: score > 60, due_after: 4 hours}\n",
        "somebody is named who does not work here",
    ),
    Mistake(
        "NS330", "Lower the line, or offer more. Every cap and every `score` step of the file counts; what people give by hand does not.",
        SEQUENCE, sequence(_SEND + "  - {if: score >= 60, then: [{hand_off: {}}]}\n"),
        beside={SCORING: "format: 1\nthreshold: {score: 40}\nactivities:\n  - {when: replied(), points: 20, cap: 40}\n"},
    ),
    Mistake(
        "NS331", "Lower the line, or offer more.", SCORING,
        "format: 1\nthreshold: {score: 60}\nactivities:\n  - {when: clicked(), points: 10, cap: 40}\n",
    ),
    Mistake(
        "NS332", "Let the arms differ in one thing, or make one of them.", SEQUENCE,
        sequence("  - split:\n      a: {steps: [{tag: reader}]}\n      b: {steps: [{tag: reader}]}\n"),
    ),
    Mistake(
        "NS333", "Ask about the mails of every arm, joined by `or`.", SEQUENCE,
        sequence(
            "  - split:\n      a: {steps: [{id: a, send: report, subject: Five numbers}]}\n"
            '      b: {steps: [{id: b, send: report, subject: Your report}]}\n    winner: {goal: replied("a")}\n'
        ),
    ),
    Mistake(
        "NS334", "Give the arm more, or leave it out.", SEQUENCE,
        sequence("  - split:\n      a: {weight: 1, steps: [{tag: a}]}\n      b: {weight: 199, steps: [{tag: b}]}\n"),
    ),
    Mistake(
        "NS335", "Give it a higher priority than those it is to replace, or write `if_busy: wait`.", SEQUENCE,
        sequence(_SEND, "if_busy: replace\n"), beside={"campaigns/sequences/first.yaml": sequence(_SEND).replace("welcome", "first")},
    ),
    Mistake(
        "NS336", "Mend the name; of a sequence that is gone one may still ask who was on it.", SEQUENCE,
        sequence(_SEND + '  - {if: finished("onboarding"), then: [{tag: reader}]}\n'),
    ),
    Mistake(
        "NS337", "Say what follows from the answer, or ask nothing; a `wait_for` may stand alone, for it makes people wait.", SEQUENCE,
        sequence(_SEND + "  - wait: 3 days\n  - if: company_size > 50\n"),
    ),
    Mistake(
        "NS340", "Ask for what stands below `[fields]` in settings.toml, or for a name, a company, a country. The address is always asked.",
        FORMS, form("    fields: [shoe_size]\n"), "a form asks for something that is no field, or for the address",
    ),
    Mistake(
        "NS341", "Spell it as the condition does that asks for it.", FORMS, form("    list: benchmark-reprot\n"),
        beside={"campaigns/segments.yaml": 'format: 1\nsegments:\n  readers: in_list("benchmark-report")\n'},
    ),
    Mistake(
        "NS342", "A form speaks the languages its consent is worded in, all of it. Write the missing text, or take the language out.",
        FORMS, form("    button: {de: Schicken}\n"), "a text of a form is missing in a language, or nobody reads it",
    ),
    Mistake(
        "NS343", "Name a page at a domain of `senders.domains`, `company.domains` or `web.base_url`, with https.", FORMS,
        form("    thanks: {url: https://elsewhere.example}\n"), "a form would send people on to somebody else",
    ),
    Mistake(
        "NS344", "Write that form into campaigns/forms.yaml, or name one that is there.", "templates/report.md",
        "---\nsubject: Your report\nlayout: plain\n---\n[Sign up]({{ share_url('newsleter') }})\n",
        "a mail or a newsletter leads to a form that is not there", beside={**_SENDING, **_LAYOUT_AND_MAIL, FORMS: form("")},
    ),
    Mistake(
        "NS345", "Name it once.", FORMS, form("    fields: [company, company]\n"), "a form names a field or a topic twice",
    ),
    Mistake(
        "NS410", "Write `ask` or `never`, and a row of its own for the bases you mean.", CONSENT,
        'format: 1\nrows:\n  - {country: [US], basis: ["*"], then: announce, law: CAN-SPAM, checked_on: 2026-01-31}\n',
        "the consent table lets people be mailed without any basis",
    ),
    Mistake(
        "NS411", 'Add `because: "…"` and say who looked it up; it is kept with the change.', CONSENT,
        'format: 1\nrows:\n  - {country: [DE], basis: [customer], then: announce, law: "UWG § 7(3)", checked_on: 2026-01-31}\n',
        "a row of the consent table decides otherwise than the one nurture ships, and does not say why",
    ),
    Mistake(
        "NT101", "Write the file, or mend its name; names begin below templates/.", MAIL,
        mail('{% include "parts/foter.mjml" %}'), beside={**_SENDING, "templates/parts/footer.mjml": "<mj-text>Us</mj-text>"},
    ),
    Mistake(
        "NT102", "Move the file into templates/ and name it there.", MAIL, mail('{% include "../secrets.mjml" %}'), beside=_SENDING,
    ),
    Mistake(
        "NT103", "Break the circle.", "templates/parts/again.mjml", '{% include "parts/again.mjml" %}\n',
        beside={**_SENDING, MAIL: mail('{% include "parts/again.mjml" %}')},
    ),
    Mistake(
        "NT104", "Write the name in quotes; choose between parts with `{% if %}` around two includes.", MAIL,
        mail("{% include contact.country %}"), beside=_SENDING,
    ),
    Mistake(
        "NT105", "Close it with the matching `end…`, or take away the one that is too much.", MAIL,
        mail("<mj-text>{% if contact.company %}Hello</mj-text>"), beside=_SENDING,
    ),
    Mistake(
        "NT106", "Fill a block that the layout has.", MAIL,
        '{% extends "layouts/plain.mjml" %}\n{% block contents %}<mj-text>Hello</mj-text>{% endblock %}\n',
        beside={**_SENDING, **_LAYOUT_AND_MAIL},
    ),
    Mistake(
        "NT107", "Move it into a block.", MAIL,
        '{% extends "layouts/plain.mjml" %}\n<mj-text>Hello</mj-text>\n', beside={**_SENDING, **_LAYOUT_AND_MAIL},
    ),
    Mistake(
        "NT108", "Include less.", "templates/parts/long.mjml",
        f"<mj-text>{'word ' * 101_000}</mj-text>",
        beside={**_SENDING, MAIL: mail('{% include "parts/long.mjml" %}')},
    ),
    Mistake(
        "NT109", "Write `key: value` lines between two lines of `---`.", "templates/report.md",
        "---\nlayout: plain\nsubject: [Your report\n---\nHere it is.\n",
        beside={**_SENDING, "templates/layouts/letter.mjml": _LAYOUT},
    ),
    Mistake(
        "NT110", "Write a subject in the file's front matter, or in the step that sends it.", MAIL,
        LETTER, beside={SEQUENCE: sequence("  - {id: report, send: report}\n")},
    ),
    Mistake("NT201", "Mend the tag.", MAIL, mail("<mj-text>Hello {{ contact.company | }}</mj-text>"), beside=_SENDING),
    Mistake(
        "NT202", "Write it without; what depends on data belongs into a field of the contact.", MAIL,
        mail('<mj-text>{% import "parts/macros.mjml" as macros %}Hello</mj-text>'), beside=_SENDING,
    ),
    Mistake(
        "NT203", "Take a filter of [mails.md](mails.md#filters).", MAIL,
        mail("<mj-text>Hello {{ contact.company | fallback('you') | titel }}</mj-text>"), beside=_SENDING,
    ),
    Mistake(
        "NT204", "Write `contact.`, `owner.`, `sender.` or `mail.` before the name.", MAIL,
        mail("<mj-text>Hello {{ first_name }}</mj-text>"), beside=_SENDING,
    ),
    Mistake(
        "NT205", 'Write `| fallback("…")` behind it, or put it into `{% if %}`; whoever has none gets no mail otherwise.',
        MAIL, mail("<mj-text>Hello {{ contact.first_name }}</mj-text>"), beside=_SENDING,
    ),
    Mistake(
        "NT206", "Keep one. A mail that has several to ask names them in it, and the first that is open is asked.",
        MAIL, mail('{{ question("timing") }}{{ question("size") }}'), beside=_ASKING,
    ),
    Mistake(
        "NT207", "Give the question a line of its own, and name what it asks in quotes.", MAIL,
        mail('<mj-text>Tell us: {{ question("timing") }}</mj-text>'), beside=_ASKING,
    ),
    Mistake("NT301", "Take the tag that is meant.", MAIL, mail("<mj-txt>Hello</mj-txt>"), beside=_SENDING),
    Mistake("NT302", "Close it.", MAIL, mail("<mj-text><b>Hello</mj-text>"), beside=_SENDING),
    Mistake(
        "NT303", "Take an attribute the tag has; MJML drops the others.", MAIL,
        mail('<mj-text colour="#1d2430">Hello</mj-text>'), beside=_SENDING,
    ),
    Mistake("NT304", "Put it into `<mj-text>`, or where MJML shows it.", MAIL, mail("Hello"), beside=_SENDING),
    Mistake(
        "NT305", "Nest less.", MAIL, mail(f"<mj-text>{'<b>' * 101}Hello{'</b>' * 101}</mj-text>"), beside=_SENDING,
    ),
    Mistake("NT306", "Write it as MJML reads it.", MAIL, mail("<mj-text align=left>Hello</mj-text>"), beside=_SENDING),
    Mistake(
        "NT307", "Begin and end it in the same tag.", MAIL,
        mail("<mj-text>{% if contact.company %}Hello</mj-text>\n<mj-text>you{% endif %}</mj-text>"), beside=_SENDING,
    ),
    Mistake(
        "NT308", "Write the value itself, or set it to a constant at the top of the file.", MAIL,
        mail('<mj-image width="{{ contact.company_size | fallback(9) }}px" alt="Us" src="https://acme.example/us.png" />'),
        beside=_SENDING,
    ),
    Mistake(
        "NT309", "Write MJML: extend a layout, or begin with `<mjml><mj-body>`.", MAIL,
        "{# Not yet. #}\n", beside=_SENDING,
    ),
    Mistake(
        "NT401", 'Say what the picture shows; `alt=""` if it only decorates.', MAIL,
        mail('<mj-image src="https://acme.example/plan.png" />'), beside=_SENDING,
    ),
    Mistake(
        "NT402", "Link to `{{ leave_url }}`, or include a footer from parts/.", MAIL,
        LETTER.replace('<a href="{{ leave_url }}">Leave</a>', ""), beside=_SENDING,
    ),
    Mistake(
        "NT403", "Print `{{ sender.postal_address }}`, or include a footer from parts/.", MAIL,
        LETTER.replace("{{ sender.postal_address }} · ", ""), beside=_SENDING,
    ),
    Mistake(
        "NT404", "Write 40 to 110 characters, or leave it out.", "templates/report.md",
        "---\nlayout: plain\npreheader: Here it is.\n---\nHere it is.\n", beside={**_SENDING, **_LAYOUT_AND_MAIL},
    ),
    Mistake("NT405", "Write less, or link to the rest.", MAIL, mail(f"<mj-text>{'word ' * 21_000}</mj-text>"), beside=_SENDING),
    Mistake(
        "NT406", "Name the address yourself, or take the tag away.", MAIL,
        mail('<mj-social><mj-social-element name="github" href="https://acme.example">Us</mj-social-element></mj-social>'),
        beside=_SENDING,
    ),
    Mistake(
        "NT407", "Write an https address.", MAIL,
        mail('<mj-text><a href="javascript:alert(1)">Hello</a></mj-text>'), beside=_SENDING,
    ),
)  # fmt: skip


class Checker:
    """Holds small workspaces against the real checks."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0
        write(folder, {"settings.toml": SETTINGS})
        self._app = open_app(folder, settings=read_settings(folder, {}), clock=SteppedClock(_TODAY))

    def close(self) -> None:
        self._app.close()

    def check(self, files: Mapping[str, str]) -> list[Problem]:
        """What `nurture check` says about a workspace of these files; settings and one mail are there anyway."""
        self._count += 1
        standing = {"settings.toml": SETTINGS, MAIL: LETTER}
        if "templates/report.md" in files:
            del standing[MAIL]
        folder = write(self._folder / str(self._count), {**standing, **files})
        app = replace(self._app, folder=folder, settings=read_settings(folder, {}))
        kinds = [kind for kind in app.kinds() if kind.name != SERVICE]
        reading = read_workspace(app.workspace(), kinds)
        return [*reading.problems, *find_breaches(app, reading, contacts=None, seed=0)]


def findings() -> dict[str, tuple[Mistake, Problem]]:
    """By code, the mistake and what the checks say about it."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        checker = Checker(Path(folder))
        for one in MISTAKES:
            problems = checker.check({**one.beside, one.file: one.text})
            told = [problem for problem in problems if problem.code == one.code]
            if not told:
                others = "\n".join(map(str, problems)) or "nothing"
                raise AssertionError(f"the example of {one.code} has another mistake now. The checks say:\n{others}")
            found[one.code] = (one, told[0])
        checker.close()
    return found
