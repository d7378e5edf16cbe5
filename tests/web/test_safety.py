"""What holds for every answer: headers, cookies, methods, sizes, words of errors, and what the log may say."""

import http.client
import logging
import re
import socket

import pytest
import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from nurture.errors import BadInput
from nurture.web import visits
from nurture.web.front import CONTENT_SECURITY_POLICY
from nurture.web.server import WebServer, make_asgi
from nurture.web.visits import MOST_BYTES
from tests.web.houses import House, Mail, words

FORM = {"content-type": "application/x-www-form-urlencoded"}


def every_page(mail: Mail) -> list[str]:
    return [
        "/", "/robots.txt", "/healthz", "/static/nurture.css", "/nowhere", mail.leave, mail.preferences, mail.view,
        f"{mail.wish}/need", mail.pixel, mail.click(0), "/u/wrong", "/c/wrong/0", "/o/wrong.gif",
    ]  # fmt: skip


def test_every_answer_is_strict_and_sets_no_cookie(lite: House, lite_mail: Mail) -> None:
    for path in every_page(lite_mail):
        for method in ("GET", "HEAD", "POST", "OPTIONS"):
            answer = lite.http.request(method, path)
            assert "set-cookie" not in answer.headers, path
            assert answer.headers["x-content-type-options"] == "nosniff", path
            assert "server" not in answer.headers, path
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy, path
            if not path.startswith("/view/"):
                assert policy == CONTENT_SECURITY_POLICY, path


def test_pages_with_a_token_are_not_cached_and_send_no_referrer(lite: House, lite_mail: Mail) -> None:
    for path in every_page(lite_mail):
        answer = lite.http.get(path)
        assert answer.headers["referrer-policy"] == "no-referrer"
        if path != "/static/nurture.css":
            assert "no-store" in answer.headers["cache-control"]


def test_pages_keep_their_own_policy(lite: House, lite_mail: Mail) -> None:
    """No script, no inline style, no form to elsewhere, nothing from another host."""
    for path in every_page(lite_mail):
        if path == lite_mail.view:
            continue
        page = lite.http.get(path).text
        assert "<script" not in page
        assert not re.search(r"\sstyle=|\son\w+=|javascript:", page)
        for address in re.findall(r'(?:href|src|action)="([^"]*)"', page):
            assert address.startswith(("/", "?language=", "data:,")), address


def test_the_front_page_reveals_nothing(lite: House) -> None:
    page = lite.http.get("/").text.lower()
    for word in ("nurture.css?", "acme", "dana", "reader.example", "leads", "version", "starlette", "uvicorn"):
        assert (word in page) == (word == "nurture.css?"), word


def test_search_engines_are_told_to_stay_away(lite: House, lite_mail: Mail) -> None:
    assert lite.http.get("/robots.txt").text == "User-agent: *\nDisallow: /\n"
    for path in every_page(lite_mail):
        if not path.startswith("/o/"):
            assert lite.http.get(path).headers["x-robots-tag"] == "noindex, nofollow"


@pytest.mark.parametrize("path", ["/", "/healthz", "/robots.txt", "/static/nurture.css"])
def test_a_method_that_is_not_allowed_says_which_are(lite: House, path: str) -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        answer = lite.http.request(method, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


def test_the_health_check_answers(house: House) -> None:
    answer = house.http.get("/healthz")
    assert (answer.status_code, answer.text) == (200, "ok\n")


def test_the_health_check_fails_when_the_database_does(lite: House) -> None:
    with lite.app.database.engine.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE installation RENAME TO elsewhere")
        connection.commit()
    answer = lite.http.get("/healthz")
    assert answer.status_code == 503
    assert "no such table" not in answer.text


def test_an_error_never_shows_what_is_inside(lite: House, lite_mail: Mail, caplog: pytest.LogCaptureFixture) -> None:
    deliveries = sa.text("""UPDATE delivery SET facts = '{"rendered_at": "no such moment"}'""")
    with lite.app.database.writing() as session:
        session.execute(deliveries)
    answer = lite.http.get(lite_mail.view)
    assert answer.status_code == 500
    assert "Something went wrong on our side" in words(answer)
    assert "Traceback" not in answer.text
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    token = lite_mail.view.removeprefix("/view/")
    assert "GET /view/{token} failed" in caplog.text
    assert token not in caplog.text


def test_a_busy_database_is_told_apart_and_may_be_asked_again(lite: House, lite_mail: Mail) -> None:
    with lite.app.database.engine.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE suppression RENAME TO elsewhere")
        connection.commit()
    answer = lite.http.post(lite_mail.leave, data={"leave": "yes"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
    assert "answer the mail with the one word" in answer.text


def test_a_body_beyond_64_kb_is_refused_and_changes_nothing(lite: House, lite_mail: Mail) -> None:
    before = lite.everything()
    for path in (lite_mail.leave, lite_mail.preferences, f"{lite_mail.wish}/need"):
        answer = lite.http.post(path, content=b"a" * (MOST_BYTES + 1), headers=FORM)
        assert answer.status_code == 413
        assert "Nothing was changed" in answer.text
    assert lite.everything() == before
    assert lite.http.post(lite_mail.leave, content=b"a" * MOST_BYTES, headers=FORM).status_code == 200


def test_a_long_body_that_does_not_say_how_long_it_is_is_refused_too(lite: House, lite_mail: Mail) -> None:
    before = lite.everything()
    connection = http.client.HTTPConnection("127.0.0.1", lite.server.port, timeout=30)
    pieces = (b"a" * 1024 for _ in range(MOST_BYTES // 1024 + 1))
    connection.request("POST", lite_mail.leave, body=pieces, headers=FORM, encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()
    assert lite.everything() == before


def test_a_body_that_never_comes_is_given_up(lite: House, lite_mail: Mail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visits, "_BODY_WITHIN_SECONDS", 0.2)
    before = lite.everything()
    with socket.create_connection(("127.0.0.1", lite.server.port), timeout=30) as connection:
        head = f"POST {lite_mail.leave} HTTP/1.1\r\nHost: here\r\nContent-Length: 26\r\n\r\nList-Unsub"
        connection.sendall(head.encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 408 ")
    assert lite.everything() == before


def test_a_form_with_too_many_fields_is_read_as_none(lite: House, lite_mail: Mail) -> None:
    before = lite.everything()
    many = "&".join(["shown=insights"] * 1000)
    assert lite.http.post(lite_mail.preferences, content=many.encode(), headers=FORM).status_code == 200
    assert lite.everything() == before


def test_the_log_names_routes_and_never_a_token_or_an_address(
    house: House, mail: Mail, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        for path in (*every_page(mail), "/ana@reader.example", "/u/ana@reader.example/more"):
            house.http.get(path, headers={"x-forwarded-for": "203.0.113.9"})
        house.http.post(mail.leave, data={"leave": "yes"})
        house.http.request("ANA@READER.EXAMPLE".replace("@", "-"), mail.leave)
    ours = [record for record in caplog.records if not record.name.startswith("http")]  # the client's own log
    lines = [record.getMessage() for record in ours if record.name == "nurture.web.access"]
    routes = {re.search(r"route=(\S+)", line)[1] for line in lines}  # type: ignore[index]  # every line has one
    assert routes == {
        "/", "/robots.txt", "/healthz", "/static/nurture.css", "-", "/u/{token}", "/preferences/{token}",
        "/view/{token}", "/wish/{token}/{kind}", "/o/{token}.gif", "/c/{token}/{n}",
    }  # fmt: skip
    assert re.fullmatch(r"method=GET route=/ status=200 ms=\d+\.\d", lines[0])
    written = "\n".join(record.getMessage() for record in ours)
    tokens = [part.removesuffix(".gif") for path in every_page(mail) for part in path.split("/") if len(part) > 20]
    assert len(tokens) == 6
    for secret in (*tokens, "reader.example", "READER.EXAMPLE", "203.0.113.9", "127.0.0.1"):
        assert secret not in written


def test_routes_of_other_rooms_come_first_and_get_the_same_headers(lite: House) -> None:
    async def inbox(request: Request) -> PlainTextResponse:
        return PlainTextResponse(f"mail of {request.path_params['name']}", headers={"Cache-Control": "private"})

    asgi = make_asgi(lite.app, lite.recorder, extra=[Route("/inbox/{name}", inbox)])
    with WebServer(asgi) as server:
        answer = lite.http.get(f"{server.url}/inbox/ana")
    assert answer.text == "mail of ana"
    assert answer.headers["cache-control"] == "private"
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY


def test_a_port_that_is_taken_is_said_in_words(lite: House) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BadInput, match=rf"cannot listen on 127\.0\.0\.1:{port}: .* choose another"):
            WebServer(make_asgi(lite.app, lite.recorder), port=port).start()


def test_a_server_can_be_stopped_and_its_port_taken_again(lite: House) -> None:
    first = WebServer(make_asgi(lite.app, lite.recorder))
    first.start()
    first.stop()
    with WebServer(make_asgi(lite.app, lite.recorder), port=first.port) as second:
        assert lite.http.get(f"{second.url}/healthz").text == "ok\n"
