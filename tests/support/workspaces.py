"""Small workspaces for tests: real files, as few of them as the test needs."""

from pathlib import Path

from nurture.app import open_app
from nurture.app.house import App
from nurture.clock import Clock
from nurture.settings import read_settings

SETTINGS = """
[senders]
domains = ["acme.example"]
test_domains = ["acme.example"]

[senders.default]
name = "Dana Reed"
email = "dana@acme.example"
postal_address = "Acme, 12 Example Street, Berlin"

[[operators]]
name = "Dana Reed"
email = "dana@acme.example"
timezone = "Europe/Berlin"

[[operators]]
name = "Luis Ortega"
email = "luis@acme.example"
timezone = "America/New_York"

[[topics]]
name = "insights"
label = "Insights"

[fields.company_size]
type = "number"
"""

CONSENT = """
format: 1
rows:
  - {country: ["*"], basis: [double-opt-in, opt-in], then: announce, law: consent, checked_on: 2026-01-01}
  - {country: [US], basis: [customer], then: announce, within: 24, otherwise: ask, law: rule, checked_on: 2026-01-01,
     because: a test}
  - {country: [US, DE], basis: [customer, inquiry, met, published, legitimate-interest, none], then: never, law: rule,
     checked_on: 2026-01-01, because: a test}
tracking: {ask_first: [EEA, GB]}
"""

#: A whole mail without any layout.
LETTER = """\
<mjml><mj-head><mj-title>Report</mj-title></mj-head><mj-body><mj-section><mj-column>
<mj-text>Hello {{ contact.first_name | fallback("there") }}, here is <a href="https://acme.example/report">the report</a>
and <a href="https://acme.example/pricing">what it costs</a>.</mj-text>
<mj-text>{{ sender.postal_address }} · <a href="{{ leave_url }}">Leave</a></mj-text>
</mj-column></mj-section></mj-body></mjml>
"""

ONE_STEP = """\
format: 1
sequence: evaluators
topic: insights
steps:
  - {id: report, send: report, subject: "Your report, {{ contact.first_name | fallback('friend') }}"}
"""


def write(folder: Path, files: dict[str, str]) -> Path:
    """Write files below a folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def small_workspace(folder: Path, **more: str) -> Path:
    """Settings, consent, one letter and a sequence of one step; `more` adds or replaces files, `/` written as `__`."""
    files = {
        "settings.toml": SETTINGS,
        "campaigns/consent.yaml": CONSENT,
        "campaigns/sequences/evaluators.yaml": ONE_STEP,
        "templates/report.mjml": LETTER,
    }
    return write(folder, {**files, **more})


def open_house(folder: Path, url: str, *, relay_port: int, clock: Clock | None = None, **environment: str) -> App:
    """The house of a workspace on a test's database and relay."""
    settings = read_settings(
        folder,
        {
            "NURTURE_DATABASE__URL": url,
            "NURTURE_SMTP__PORT": str(relay_port),
            "NURTURE_SECRET": "a secret for tests",
            "NURTURE_SUPPRESSION_KEY": "a suppression key for tests",
            **environment,
        },
    )
    return open_app(folder, settings=settings, clock=clock)
