"""`/` where the overview is shown: one page for whoever works here. Its title says whether somebody waits for them."""

from starlette.responses import Response

from nurture.figures import counted
from nurture.reports.charts import draw_weeks
from nurture.reports.overview import Overview, look
from nurture.timing import in_words
from nurture.web.site import Site, due
from nurture.web.visits import Visit

#: Reasons for standing still, as people say them; others are sentences already.
_STANDS_STILL = {
    "paused": "sending is paused",
    "window": "outside the hours in which this mail may leave",
    "blackout": "a day on which no campaign mails",
    "cap": "these people had enough mail from us for now",
    "issue first": "a newsletter is about to reach these people, and goes first",
    "ask budget": "these people have not had enough mails of value for another ask",
    "recheck": "something happened that may end a sequence; it looks again first",
}
_STATES = {"failed": "Failed", "uncertain": "Uncertain", "held": "Held"}


def show(site: Site, _visit: Visit) -> Response:
    """GET: what waits, what goes out next, and what became of the last weeks."""
    now = site.app.clock.now()
    with site.app.database.reading() as session:
        overview = look(session, now)
    return site.page(
        "overview.html",
        title=_title(overview),
        overview=overview,
        plot=draw_weeks(overview.weeks),
        due=lambda at: due(at, now),
        soon=lambda at: "now" if at <= now else f"in {in_words(at - now)}",
        at=lambda instant: f"{instant.astimezone(overview.zone):%a %-d %b, %H:%M}",
        stands_still=lambda because: _STANDS_STILL.get(because, because),
        states=_STATES,
    )


def _title(overview: Overview) -> str:
    if not overview.lead_count:
        return "Nothing waits for you"
    verb = "is" if overview.lead_count == 1 else "are"
    return f"{counted(overview.lead_count, 'lead')} {verb} waiting for you"
