"""`nurture demo` as whoever tries it sees it: a short one, with everything in it that a long one has."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2

DEMO = [sys.executable, "-m", "nurture", "demo", "--weeks", "2", "--port", "0"]


@contextmanager
def running_demo() -> Iterator["subprocess.Popen[str]"]:
    demo = subprocess.Popen(DEMO, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield demo
    finally:
        demo.kill()
        demo.communicate()


def test_the_summary_counts_what_happened_and_nobody_was_mailed_after_they_left() -> None:
    done = subprocess.run([*DEMO, "--no-serve", "--json"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    summary = json.loads(done.stdout)
    assert list(summary) == [
        "sent", "opened", "clicked", "machine_opened", "machine_clicked", "opted_out", "sales_ready", "accepted",
        "rejected", "mailed_after_opt_out", "seconds",
    ]  # fmt: skip
    assert summary["sent"] > 300
    assert summary["sent"] > summary["opened"] > summary["clicked"] > 0
    assert min(summary["machine_opened"], summary["machine_clicked"], summary["opted_out"]) > 0
    assert summary["mailed_after_opt_out"] == 0


def test_it_tells_its_story_in_a_pipe_and_stays_up_to_be_looked_at_until_it_is_interrupted() -> None:
    with running_demo() as demo:
        assert demo.stdout is not None
        told = []
        for line in demo.stdout:
            told.append(line)
            if "Look around" in line:
                break
        story = "".join(told)
        assert re.search(r"week 1   announcement   300 of 312 contacts", story)
        assert re.search(r"week 2   \d+ left before the first issue: \d+ one-click", story)
        assert re.search(r"In 2 weeks: \d{3} mails sent, \d+ people opened and \d+ clicked", story)
        assert "Mails that reached someone after they left: 0 (counted in the inbox)." in story
        assert "\x1b" not in story
        overview = re.search(r"overview (http://\S+)", told[-1])
        assert overview is not None
        for path, words in (
            ("/", "What goes out next"),
            ("/inbox", "mails have arrived"),
            ("/inbox/1", "The source, as it arrived"),
            ("/inbox/1/html", "Acme, 12 Example Street"),
        ):
            answer = httpx2.get(f"{overview[1]}{path}")
            assert answer.status_code == 200
            assert words in answer.text, path
        # The first mails may be notes to colleagues, which nobody unsubscribes from.
        sources = (httpx2.get(f"{overview[1]}/inbox/{number}/source").text for number in range(1, 50))
        assert any("List-Unsubscribe-Post: List-Unsubscribe=One-Click" in one for one in sources)
        demo.send_signal(signal.SIGINT)
        _, complaints = demo.communicate(timeout=60)
        assert (demo.returncode, complaints) == (0, "")
