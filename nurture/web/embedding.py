"""A form as it stands on another site: plain HTML with its own few styles, and nothing that runs or is fetched.

It posts to our page, which answers with the same page as to everybody. Its stamp and its wording are printed into it;
when the wording changes, the old one stays what its visitors agreed to, until the form is printed anew.
"""

from urllib.parse import urlencode

from nurture.forms.rules import MOST_TEXT, TRAP, Form
from nurture.forms.stamps import stamp
from nurture.tokens import TokenKeys
from nurture.web.site import PAGES
from nurture.web.subscribe import fields_of
from nurture.web.wording import Wording


def embed(form: Form, language: str, keys: TokenKeys, base_url: str, *, rep: str = "", label: str = "") -> str:
    """The HTML of a form, in one of its languages."""
    wording = Wording(language)
    query = urlencode({key: value for key, value in (("from", label), ("language", language)) if value})
    path = "/".join(part for part in (base_url.rstrip("/"), "subscribe", form.name, rep) if part)
    html = PAGES.get_template("embed.html").render(
        action=f"{path}?{query}",
        language=language,
        say=wording.say,
        title=form.text("title", language),
        intro=form.text("intro", language),
        button=form.text("button", language) or wording.say("subscribe.button"),
        questions=fields_of(form, wording, [], {}),
        topics=list(form.topics.items()) if len(form.topics) > 1 else [],
        consent=form.wording("consent", language),
        shown=form.shown(language),
        tracking=form.text("tracking", language),
        call=form.text("call", language),
        trap=TRAP,
        most_text=MOST_TEXT,
        stamp=stamp(keys, form.name, None),
    )
    return "\n".join(line for line in html.splitlines() if line.strip()) + "\n"
