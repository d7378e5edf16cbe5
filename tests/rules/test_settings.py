"""settings.toml, the environment and the secrets: what is read, which wins, and what is said about a mistake."""

import stat
from pathlib import Path

import pytest

from nurture.app import open_app
from nurture.app.declaring import declared_of
from nurture.app.relaying import relays_of
from nurture.contacts.addresses import read_address
from nurture.errors import BadSettings, WrongKey
from nurture.settings import SECRETS_FILE, Settings, ensure_secrets, read_settings


def read(folder: Path, text: str = "", **environment: str) -> Settings:
    (folder / "settings.toml").write_text(text, encoding="utf-8")
    return read_settings(folder, environment)


def complaint(folder: Path, text: str = "", **environment: str) -> str:
    with pytest.raises(BadSettings) as refused:
        read(folder, text, **environment)
    return str(refused.value)


def keep_secrets(folder: Path, text: str) -> None:
    (folder / SECRETS_FILE).parent.mkdir(exist_ok=True)
    (folder / SECRETS_FILE).write_text(text, encoding="utf-8")


def test_a_folder_without_the_file_runs_on_defaults(tmp_path: Path) -> None:
    assert read_settings(tmp_path, {}) == Settings()


def test_what_the_file_leaves_out_has_its_default(tmp_path: Path) -> None:
    settings = read(tmp_path, '[smtp]\nhost = "relay.example"\n')
    assert (settings.smtp.host, settings.smtp.port, settings.smtp.tls) == ("relay.example", 2525, "auto")


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    assert read(tmp_path, "\ufeff[smtp]\nport = 587\n").smtp.port == 587


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[smtp]\nhots = "x"', 'settings.toml:2: smtp.hots: there is no such setting. Did you mean "host"?'),
        ('[smpt]\nhost = "x"', 'settings.toml:1: smpt: there is no such setting. Did you mean "smtp"?'),
        ("colour = 1", "settings.toml:1: colour: there is no such setting."),
        ("[senders.default]\nnam = 'x'", 'settings.toml:2: senders.default.nam: there is no such setting. Did you mean "name"?'),
        ('[senders.named.sales]\nnam = "x"', 'settings.toml:2: senders.named.sales.nam: there is no such setting. Did you mean "name"?'),
        ('[fields.size]\ntpye = "text"', 'settings.toml:2: fields.size.tpye: there is no such setting. Did you mean "type"?'),
        ('[smtp]\nport = "abc"', 'settings.toml:2: smtp.port: "abc" is not a whole number.'),
        ("[smtp]\nport = 25.5", "settings.toml:2: smtp.port: 25.5 is not a whole number."),
        ("[smtp]\nport = 0", "settings.toml:2: smtp.port: 0 is too small; write 1 or more."),
        ("[smtp]\nport = 70000", "settings.toml:2: smtp.port: 70000 is too large; write 65535 or less."),
        ("[smtp]\ntimeout_seconds = 0", "settings.toml:2: smtp.timeout_seconds: 0 is too small; write more than 0."),
        ('[smtp]\ntimeout_seconds = "long"', 'settings.toml:2: smtp.timeout_seconds: "long" is not a number.'),
        ("[sending]\nper_second = inf", "settings.toml:2: sending.per_second: inf is not a number that ends; write it in digits."),
        ("[sending]\nper_second = nan", "settings.toml:2: sending.per_second: nan is not a number that ends; write it in digits."),
        ("[sending]\nper_second = 1e300", "settings.toml:2: sending.per_second: 1e+300 is too large; write 1000000 or less."),
        ('[[limits]]\nname = "slow"\nper_second = inf', "settings.toml:3: limits.per_second: inf is not a number that ends; write it in digits."),
        ('[[limits]]\nname = "slow"\nper_day = 99999999999999999999', "settings.toml:3: limits.per_day: 99999999999999999999 is too large; write 1000000000 or less."),
        ('[[relays]]\nname = "own"\nhost = "h"\nper_second = inf', "settings.toml:4: relays.per_second: inf is not a number that ends; write it in digits."),
        ('[smtp]\nhost = ""', 'settings.toml:2: smtp.host: "" is no server; write its name or its address, such as "smtp.example.com".'),
        ('[[relays]]\nname = "own"\nhost = "mail acme"', 'settings.toml:3: relays.host: "mail acme" is no server; write its name or its address, such as "smtp.example.com".'),
        ('[sending]\ngive_up_after = "3 dayz"', 'settings.toml:2: sending.give_up_after: "3 dayz" is not a duration; write a number and a unit, such as "3 days".'),
        ('[privacy]\nhistory = "5 working days"', 'settings.toml:2: privacy.history: "5 working days" depends on a calendar, and none counts here; write days or hours, such as "3 days".'),
        ('[sending]\nblackout = ["Easter"]', 'settings.toml:2: sending.blackout: "Easter" names no days; write one such as "2027-05-01", or the first and the last: "2026-12-24..2027-01-01".'),
        ("[smtp]\nhost = 7", "settings.toml:2: smtp.host: 7 is not a text; put it in quotes."),
        ('[smtp]\ntls = "startls"', 'settings.toml:2: smtp.tls: "startls" is not one of auto, starttls, implicit, off. Did you mean "starttls"?'),
        ("[senders]\ndomains = 7", 'settings.toml:2: senders.domains: 7 is not a list; write it as ["…", "…"].'),
        ("[senders]\ndomains = [7]", "settings.toml:2: senders.domains: 7 is not a text; put it in quotes."),
        ('smtp = "relay.example"', 'settings.toml:1: smtp: this is a section and "relay.example" is a value; set what is in it, such as smtp.host.'),
        ('[senders.named]\nsales = "Sam"', 'settings.toml:2: senders.named.sales: this is a section and "Sam" is a value; set what is in it, such as senders.named.sales.name.'),
        ('[[operators]]\nname = "Dana"', "settings.toml:1: operators.email is missing; add it."),
        ('[web]\nbase_url = "javascript:alert(1)"', 'settings.toml:2: web.base_url: "javascript:alert(1)" is no address of a server; write one such as "https://news.example.com", in its xn-- form if it has other letters.'),
        ('[web]\nbase_url = "https://bücher.example"', 'settings.toml:2: web.base_url: "https://bücher.example" is no address of a server; write one such as "https://news.example.com", in its xn-- form if it has other letters.'),
        ('[web]\nbase_url = "https://acme.example\\r\\nBcc: eve@x.example"', 'settings.toml:2: web.base_url: "https://acme.example\\r\\nBcc: eve@x.example" is no address of a server; write one such as "https://news.example.com", in its xn-- form if it has other letters.'),
        ('[web]\ntrusted_proxies = ["10.0.0.0/8", "nonsense"]', 'settings.toml:2: web.trusted_proxies: "nonsense" is neither an address nor a network; write one such as "10.0.0.7".'),
        ('[inbound]\ndomain = "a b"', 'settings.toml:2: inbound.domain: "a b" is no domain; write one such as "reply.example.com", in its xn-- form if it has other letters.'),
        ('[senders.default]\nname = "Dana\\r\\nBcc: eve@x.example"', 'settings.toml:2: senders.default.name: "Dana\\r\\nBcc: eve@x.example" has a line break or another control character; write it on one line.'),
        ('[senders.named.sales]\nname = "Sam\\u2028"', 'settings.toml:2: senders.named.sales.name: "Sam\\u2028" has a line break or another control character; write it on one line.'),
        ("[smtp]\nhost = relay", "settings.toml: this is not TOML: invalid value (at line 2, column 8)."),
        ('[smtp]\nhost = "a.example"\nport = 25\nhost = "b.example"\n', "settings.toml: this is not TOML: host stands there twice, the second time at line 4; take one of them away."),
        ("[smtp]\nport = 25\n\n[smtp]\nport = 587\n", "settings.toml: this is not TOML: [smtp] stands there twice, the second time at line 4; take one of them away."),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_line_and_what_to_do(tmp_path: Path, text: str, sentence: str) -> None:
    assert complaint(tmp_path, text) == sentence


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)", "news.example.com", "//news.example.com", "https://", "https://a b.example", "https://x.example\t",
        "https://x.example/?a=b", "https://x.example/#top", "https://dana@x.example", "https://x.example:port", "ftp://x.example",
        'https://x.example/"onclick',
    ],
)  # fmt: skip
def test_links_in_mails_begin_with_the_address_of_a_server_and_nothing_else(tmp_path: Path, address: str) -> None:
    assert "is no address of a server" in complaint(tmp_path, NURTURE_WEB__BASE_URL=address)


def test_addresses_networks_and_domains_are_taken_as_they_are_usually_written(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        '[web]\nbase_url = "https://news.example.com:8443/letters/"\ntrusted_proxies = ["10.0.0.7/8", "::1"]\n'
        '[inbound]\ndomain = "Reply.xn--bcher-kva.example"\n[senders.default]\nname = "Zoë O’Neil 👩‍💻"\n',
    )
    assert settings.web.base_url == "https://news.example.com:8443/letters/"
    assert settings.web.trusted_proxies == ("10.0.0.7/8", "::1")
    assert read(tmp_path, NURTURE_WEB__BASE_URL="http://[::1]:8000").web.base_url == "http://[::1]:8000"
    assert read(tmp_path, NURTURE_WEB__TRUSTED_PROXIES="10.0.0.7, ::1").web.trusted_proxies == ("10.0.0.7", "::1")


def test_the_second_of_two_operators_is_found_on_its_own_line(tmp_path: Path) -> None:
    ana = '[[operators]]\nname = "Ana"\nemail = "ana@x.example"\nrole = "rep"\n\n'
    ben = '[[operators]]\nname = "Ben"\nemail = "ben@x.example"\nrole = "boss"\n'
    assert complaint(tmp_path, ana + ben) == (
        'settings.toml:9: operators.role: "boss" is not one of rep, marketing, admin.'
    )


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    said = complaint(tmp_path, "[smtp]\nport = 0\nhots = 1\n\n[sending]\ncap_per_day = 0\n").splitlines()
    assert [line.split()[0] for line in said] == ["settings.toml:2:", "settings.toml:3:", "settings.toml:6:"]


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        '[smtp]\nhost = "relay.example"\nport = 25\n[senders.default]\nname = "Dana"\n',
        NURTURE_SMTP__PORT="587",
        NURTURE_SENDERS__DEFAULT__EMAIL="dana@acme.example",
        NURTURE_SENDERS__TEST_DOMAINS="acme.example, acme.test,",
        PATH="/bin",
    )
    assert (settings.smtp.host, settings.smtp.port) == ("relay.example", 587)
    assert (settings.senders.default.name, settings.senders.default.email) == ("Dana", "dana@acme.example")
    assert settings.senders.test_domains == ("acme.example", "acme.test")


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("NURTURE_SMTP__PORT", "abc", 'NURTURE_SMTP__PORT: "abc" is not a whole number.'),
        ("NURTURE_SMTP__PORT", "0", 'NURTURE_SMTP__PORT: "0" is too small; write 1 or more.'),
        ("NURTURE_SMTP__TLS", "on", 'NURTURE_SMTP__TLS: "on" is not one of auto, starttls, implicit, off.'),
        ("NURTURE_SMTP__HOSTT", "x", 'NURTURE_SMTP__HOSTT: there is no such setting. Did you mean "NURTURE_SMTP__HOST"?'),
        ("NURTURE_SMPT__HOST", "x", 'NURTURE_SMPT__HOST: there is no such setting. Did you mean "NURTURE_SMTP__HOST"?'),
        ("NURTURE_COLOUR", "x", "NURTURE_COLOUR: there is no such setting."),
        ("NURTURE_SMTP", "x", 'NURTURE_SMTP: this is a section and "x" is a value; set what is in it, such as smtp.host.'),
        ("NURTURE_SECRET__KEY", "x", "NURTURE_SECRET__KEY: secret is no section, so there is no secret.key."),
    ],
)  # fmt: skip
def test_a_mistake_in_the_environment_is_told_by_its_variable(
    tmp_path: Path, variable: str, value: str, sentence: str
) -> None:
    text = '[smtp]\nport = 25\ntls = "auto"\nhost = "h"\n'
    keep_secrets(tmp_path, 'secret = "s"\n')
    assert complaint(tmp_path, text, **{variable: value}) == sentence


def test_the_workspace_is_no_setting(tmp_path: Path) -> None:
    assert read(tmp_path, NURTURE_WORKSPACE="elsewhere") == Settings()


@pytest.mark.parametrize(
    ("text", "key", "variable", "line"),
    [
        ('secret = "s"', "secret", "NURTURE_SECRET", 1),
        ('\nsuppression_key = "s"', "suppression_key", "NURTURE_SUPPRESSION_KEY", 2),
        ('[smtp]\npassword = "s"', "smtp.password", "NURTURE_SMTP__PASSWORD", 2),
    ],
)
def test_a_secret_in_the_file_is_sent_where_secrets_live(
    tmp_path: Path, text: str, key: str, variable: str, line: int
) -> None:
    said = complaint(tmp_path, text)
    assert said == f"settings.toml:{line}: {key} is a secret; move it to .nurture/secrets or set {variable}."


@pytest.mark.parametrize(
    "spelling", ['smtp.password = "open"', '"smtp.password" = "open"', '[smtp]\npassword = "open"']
)
def test_a_password_may_be_written_in_any_way_and_leaves_the_other_settings_alone(
    tmp_path: Path, spelling: str
) -> None:
    keep_secrets(tmp_path, spelling)
    smtp = read(tmp_path, '[smtp]\nhost = "relay.example"\nport = 587\n').smtp
    assert (smtp.host, smtp.port, smtp.password) == ("relay.example", 587, "open")


def test_a_mistake_among_the_secrets_is_told_without_the_secret(tmp_path: Path) -> None:
    keep_secrets(tmp_path, 'smtp.pasword = "open sesame"')
    assert complaint(tmp_path) == '.nurture/secrets: smtp.pasword: there is no such setting. Did you mean "password"?'
    keep_secrets(tmp_path, "secret = open sesame")
    assert complaint(tmp_path).startswith(".nurture/secrets: this is not TOML: invalid value (at line 1")


def test_no_secret_is_shown_by_accident(tmp_path: Path) -> None:
    keep_secrets(tmp_path, 'secret = "sesame"\nsuppression_key = "sesame"\nsmtp.password = "sesame"\n')
    assert "sesame" not in repr(read(tmp_path))


def test_secrets_are_made_once_and_only_their_owner_may_read_them(tmp_path: Path) -> None:
    made = ensure_secrets(tmp_path, read(tmp_path), lambda: False)
    assert len(made.secret) == 1
    assert min(len(made.secret[0]), len(made.suppression_key)) >= 32
    assert made.secret[0] != made.suppression_key
    assert stat.S_IMODE((tmp_path / SECRETS_FILE).stat().st_mode) == 0o600
    again = read(tmp_path)
    assert ensure_secrets(tmp_path, again, lambda: False) == again == made


def test_a_secret_from_the_environment_is_a_list_and_is_never_written_down(tmp_path: Path) -> None:
    settings = read(tmp_path, NURTURE_SECRET="new, old", NURTURE_SUPPRESSION_KEY="kept")
    assert settings.secret == ("new", "old")
    assert ensure_secrets(tmp_path, settings, lambda: True) == settings
    assert not (tmp_path / SECRETS_FILE).exists()


def open_with(folder: Path, **environment: str) -> None:
    given = {"NURTURE_SECRET": "s", "NURTURE_SUPPRESSION_KEY": "k", **environment}
    open_app(folder, settings=read_settings(folder, given)).close()


def test_another_suppression_key_stops_every_command_before_it_did_anything(tmp_path: Path) -> None:
    open_with(tmp_path)
    with pytest.raises(WrongKey, match=r"opt-outs could not be recognized"):
        open_with(tmp_path, NURTURE_SUPPRESSION_KEY="another")
    open_with(tmp_path)


@pytest.mark.parametrize(
    ("host", "is_refused"), [("127.0.0.1", False), ("localhost", False), ("::1", False), ("relay.example", True), ("10.0.0.5", True)]
)  # fmt: skip
def test_the_present_is_moved_only_while_no_mail_can_leave_the_machine(
    tmp_path: Path, host: str, *, is_refused: bool
) -> None:
    rehearsal = {"NURTURE_CLOCK__OFFSET": "21 days", "NURTURE_SMTP__HOST": host}
    if not is_refused:
        open_with(tmp_path, **rehearsal)
        return
    with pytest.raises(BadSettings) as refused:
        open_with(tmp_path, **rehearsal)
    assert str(refused.value) == (
        f"clock.offset is set and smtp.host is {host}; a rehearsal needs a relay on this machine. "
        "Take the offset away, or set smtp.host to 127.0.0.1."
    )


@pytest.mark.parametrize("key", ["clock.offset", "sending.give_up_after"])
def test_a_length_of_time_that_cannot_be_read_is_told_by_its_setting(tmp_path: Path, key: str) -> None:
    variable = f"NURTURE_{key.replace('.', '__').upper()}"
    with pytest.raises(BadSettings) as refused:
        open_with(tmp_path, **{variable: "3 dayz"})
    assert str(refused.value) == (
        f'{variable}: "3 dayz" is not a duration; write a number and a unit, such as "3 days".'
    )


def test_mail_goes_to_nobody_real_until_somebody_says_to_whom(tmp_path: Path) -> None:
    assert read(tmp_path).sending.only_to == ()
    assert read(tmp_path, '[sending]\nonly_to = ["reader.example"]').sending.only_to == ("reader.example",)
    assert read(tmp_path, NURTURE_SENDING__ONLY_TO="*").sending.only_to == ("*",)


def test_domains_with_other_letters_are_those_of_the_mails(tmp_path: Path) -> None:
    """STANDARDS 11: a contact's domain is an A-label, and so has a route, a limit or a sender to be."""
    text = """
        [senders]
        domains = ["Bücher.example"]
        test_domains = ["bücher.example"]
        [senders.default]
        email = "dana@bücher.example"
        [sending]
        only_to = ["bücher.example", "*"]
        [[relays]]
        name = "own"
        host = "127.0.0.1"
        domains = ["bücher.example"]
        senders = ["jürgen@bücher.example", "dana@acme.example"]
        [[limits]]
        name = "books"
        to = ["bücher.example"]
    """
    settings = read(tmp_path, text)
    book = read_address("ana@bücher.example").domain
    assert settings.senders.default.email == f"dana@{book}"
    assert (settings.senders.test_domains, settings.sending.only_to) == ((book,), (book, "*"))
    assert settings.limits[0].to == (book,)
    [relay] = relays_of(settings, tmp_path, lambda: 0.0)
    assert relay.route.fit("dana@acme.example", book) > 0
    assert relay.route.senders == {f"jürgen@{book}", "dana@acme.example"}
    assert relay.hello == book
    declared = declared_of(settings)
    assert declared.default_sender.domain in declared.sender_domains
    assert "bücher.example" in declared.sender_domains
