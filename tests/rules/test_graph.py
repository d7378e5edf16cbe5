"""The flow of a sequence: every step in words, everything in its place, nothing over anything, no markup from outside."""

import re
from collections.abc import Sequence as Items
from dataclasses import replace
from datetime import time, timedelta
from itertools import combinations, pairwise
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nurture.conditions import Asks, Condition, Not
from nurture.sequences import program
from nurture.sequences.graph.drawing import draw
from nurture.sequences.graph.flow import THE_END, Box, Flow, People, flow_of, readable
from nurture.sequences.graph.layout import Layout, Link, Rect, Size, lay_out
from nurture.sequences.graph.lettering import break_lines, width_of
from nurture.sequences.graph.mermaid import escaped, to_mermaid
from nurture.sequences.program import Arm, Exit, Sequence, Step, WinnerRule
from nurture.timing import Duration
from nurture.timing.moments import parse_moment

#: Draws as `random` does, from a seed that Hypothesis chooses.
CHANCE = st.randoms(use_true_random=True)
SVG = "{http://www.w3.org/2000/svg}"


def days(count: int) -> Duration:
    return Duration(timedelta(days=count))


def when() -> Condition:
    """Some condition; a picture only shows its text."""
    return Not(Asks("booked", ()))


EVERY_KIND: Items[Step] = (
    program.Send("report", "long"),
    program.Send("long", "until", kind="ask", slots=3),
    program.WaitUntil("until", "mine", parse_moment("2027-03-01", time(9)), "2027-03-01 09:00"),
    program.WaitUntil("mine", "wait", parse_moment("renewal_on - 30 days", time(0)), "renewal_on - 30 days", "next"),
    program.Wait("wait", "choose", days(3)),
    program.Branch("choose", when(), 'clicked("report") and fit >= "B"', "tag", "seen"),
    program.AddTag("tag", "untag", "reads"),
    program.RemoveTag("untag", "set", "resting"),
    program.SetFields("set", "join", (("plan", "gold"), ("seats", 12), ("is_new", False), ("until", None))),
    program.ChangeList("join", "leave", "customers"),
    program.ChangeList("leave", "score", "prospects", is_joining=False),
    program.GivePoints("score", "test", 10, "read closely"),
    program.WaitFor("seen", when(), "booked()", days(5), "call", "test"),
    program.Notify("call", "todo", "owner", "A customer begins"),
    program.AddTask("todo", "hook", "dana@acme.example", "Call them", days(2)),
    program.CallWebhook("hook", "other", "https://crm.example/hook?a=1&b=2"),
    program.EnrollIn("other", "hand", "onboarding"),
    program.HandOver("hand", "stop"),
    program.End("stop", "they are in good hands"),
    program.Split(
        "test",
        (Arm("short", 1, "again"), Arm("late", 2, "once")),
        WinnerRule(when(), 'clicked("a")', timedelta(days=7), up_to=timedelta(days=60)),
    ),
    program.GoTo("again", None, "report"),
    program.GoTo("once", None, "wait", at_most=2),
)


def sequence_of(steps: Items[Step], **more: Any) -> Sequence:
    return Sequence("s", "insights", "default", steps[0].id, {step.id: step for step in steps}, **more)


def every_kind(**more: Any) -> Flow:
    exits = (Exit(when(), "replied()", "replied"),)
    subjects = {"report": "{{ contact.first_name | fallback('Hello') }}, your report", "long": "Shall we talk?"}
    return flow_of(sequence_of(EVERY_KIND, exits=exits), "People who ask", subjects, **more)


def test_every_kind_of_step_says_what_it_does() -> None:
    assert [(box.id, box.does, box.detail) for box in every_kind().boxes] == [
        ("report", "sends a mail", "[first name], your report"),
        ("long", "asks by mail, offers 3 times to meet", "Shall we talk?"),
        ("until", "waits until 2027-03-01 09:00", ""),
        ("mine", "waits until renewal_on - 30 days", "without that date: goes on"),
        ("wait", "waits 3 days", ""),
        ("choose", "looks whether", 'clicked("report") and fit >= "B"'),
        ("tag", "tags them", "reads"),
        ("untag", "takes a tag off", "resting"),
        ("set", "sets", "plan: gold, seats: 12, is_new: no, until: nothing"),
        ("join", "puts them on a list", "customers"),
        ("leave", "takes them off a list", "prospects"),
        ("score", "gives 10 points", "read closely"),
        ("test", "goes one of 2 ways by lot", 'until one wins by clicked("a") within 7 days, 100 people each; at most 60 days'),
        ("again", "goes back to report", "again and again"),
        ("once", "goes back to wait", "at most 2 times"),
        ("seen", "waits up to 5 days for", "booked()"),
        ("call", "tells their owner", "A customer begins"),
        ("todo", "a task for dana@acme.example, due in 2 days", "Call them"),
        ("hook", "calls another system", "https://crm.example/hook?a=1&b=2"),
        ("other", "puts them into", "onboarding"),
        ("hand", "hands them to a rep", ""),
        ("stop", "ends here", "they are in good hands"),
        (THE_END, "the end", ""),
    ]  # fmt: skip


def test_ways_are_called_as_people_call_them() -> None:
    labels = {(way.start, way.name): way.label for way in every_kind().ways if way.label}
    assert labels == {
        ("choose", "yes"): "yes", ("choose", "no"): "no",
        ("seen", "in time"): "in time", ("seen", "too late"): "too late",
        ("test", "short"): "short, 33.3 %", ("test", "late"): "late, 66.7 %",
        ("again", "again"): "again", ("once", "again"): "again", ("once", "enough"): "after that",
    }  # fmt: skip


def test_a_share_is_told_with_its_interval_or_not_at_all() -> None:
    taken = {("choose", "yes"): 133, ("choose", "no"): 81, ("seen", "in time"): 5}
    flow = every_kind(people=People(3, {"wait": 12}, taken))
    shares = {(way.start, way.name): flow.share(way) for way in flow.ways}
    assert shares["choose", "yes"] == "62 % (55–68 %) of 214"
    assert shares["choose", "no"] == "38 % (32–45 %) of 214"
    assert shares["seen", "in time"] == "5 of 5, too few to tell"
    assert not shares["test", "short"], "nobody has come that far"
    assert not shares["report", ""], "there is no other way"
    assert (flow.here("wait"), flow.here("report"), every_kind().here("wait")) == (12, 0, None)


@pytest.mark.parametrize(
    ("subject", "shown"),
    [
        ("{{ contact.first_name | fallback('Hello') }}, hello", "[first name], hello"),
        ("{% if owner.name %}From {{owner.name}}{% endif %}", "From [name]"),
        ("{# nothing #}It is {{ 1 + 1 }}", "It is [1 + 1]"),
    ],
)
def test_a_subject_is_shown_without_its_code(subject: str, shown: str) -> None:
    assert readable(subject) == shown


# The picture.


def overlap(one: Rect, other: Rect) -> bool:
    return one.left < other.right and other.left < one.right and one.top < other.bottom and other.top < one.bottom


@st.composite
def flows(drawn: st.DrawFn, most: int = 60) -> tuple[dict[str, Size], list[Link]]:
    """Boxes with up to four ways on each, leading anywhere: on, back, over, to themselves, or nowhere."""
    chance = drawn(CHANCE)
    count = drawn(st.integers(1, most))
    boxes = {f"s{number}": Size(264, chance.choice((44, 66, 154))) for number in range(count)}
    links = []
    for number in range(count):
        for _ in range(chance.choice((0, 1, 1, 1, 2, 2, 4))):
            is_jump = chance.random() < 0.2
            end = chance.randrange(count) if is_jump else min(number + chance.choice((1, 1, 2, 5)), count - 1)
            label = Size(chance.choice((40, 200)), 26) if chance.random() < 0.5 else None
            links.append(Link(f"s{number}", f"s{end}", label))
    return boxes, links


def check(boxes: dict[str, Size], links: list[Link], layout: Layout) -> None:
    assert layout.boxes.keys() == boxes.keys()
    labels = [line.label for line in layout.lines if line.label]
    assert len(labels) == sum(link.label is not None for link in links)
    places = [*layout.boxes.values(), *labels]
    for one in places:
        assert one.left >= -0.01
        assert one.right <= layout.width + 0.01
        assert one.bottom <= layout.height
    for one, other in combinations(places, 2):
        assert not overlap(one, other)
    for link, line in zip(links, layout.lines, strict=True):
        (x, y), (end_x, end_y) = line.points[0], line.points[-1]
        start, end = layout.boxes[link.start], layout.boxes[link.end]
        assert y == start.bottom
        assert start.left < x < start.right
        assert end_y == end.top
        assert end.left < end_x < end.right
        for (left, top), (right, bottom) in pairwise(line.points):
            lane = Rect(min(left, right), min(top, bottom) + 0.01, abs(left - right), abs(top - bottom) - 0.02)
            if lane.height > 0:
                assert not any(
                    overlap(lane, replace(box, left=box.left + 0.01, width=box.width - 0.02))
                    for box in layout.boxes.values()
                )


@settings(deadline=None, max_examples=40)
@given(flows())
def test_nothing_is_drawn_over_anything_and_every_line_ends_at_its_boxes(
    drawn: tuple[dict[str, Size], list[Link]],
) -> None:
    check(*drawn, lay_out(*drawn))


@settings(deadline=None, max_examples=5)
@given(CHANCE)
def test_two_hundred_steps_find_their_places(chance: Any) -> None:
    flow = flow_of(random_sequence(chance, 200), "Long", {})
    picture = ET.fromstring(draw(flow))
    assert len(boxes_of(picture)) == len(flow.boxes)


def random_sequence(chance: Any, count: int) -> Sequence:
    """Steps in an order, with branches into what follows and ways back."""
    steps: list[Step] = []
    for number in range(count):
        ahead = [f"s{min(number + chance.choice((1, 1, 2, 3, 9)), count)}" for _ in range(3)]
        on, other, third = (None if one == f"s{count}" else one for one in ahead)
        id_ = f"s{number}"
        steps.append(
            chance.choice(
                [
                    program.Send(id_, on), program.Wait(id_, on, days(1)), program.AddTag(id_, on, "x"),
                    program.Branch(id_, when(), "booked()", on, other),
                    program.Split(id_, (Arm("a", 1, on), Arm("b", 1, other), Arm("c", 1, third))),
                    program.GoTo(id_, on, f"s{chance.randrange(number + 1)}", at_most=2),
                ]
            )
        )  # fmt: skip
    return sequence_of(steps)


def boxes_of(picture: ET.Element) -> list[ET.Element]:
    return [one for one in picture.iter(f"{SVG}g") if (one.get("class") or "").startswith("flow-box")]


def is_drawn_as(box: Box, words: Items[str]) -> bool:
    does = box.does.split()
    return list(words[: len(does)]) == does and (not box.id or words[-1] == box.id)


def test_every_step_is_drawn_once_and_every_way() -> None:
    flow = every_kind()
    picture = ET.fromstring(draw(flow))
    texts = [" ".join(one.itertext()) for one in boxes_of(picture)]
    assert len(texts) == len(flow.boxes)
    for box in flow.boxes:
        assert sum(is_drawn_as(box, text.split()) for text in texts) == 1
    assert len([one for one in picture.iter(f"{SVG}path") if one.get("marker-end")]) == len(flow.ways)
    assert picture.findtext(f"{SVG}title") == "The way through People who ask"
    assert "replied() → replied" in (picture.findtext(f"{SVG}desc") or "")


NASTY = '"><script>alert(1)</script>&#34; {{ contact.email }} ]]> -->'


def test_no_text_is_markup() -> None:
    steps: list[Step] = [program.Send("a", "b"), program.Branch("b", when(), NASTY, None, None)]
    flow = flow_of(sequence_of(steps, exits=(Exit(when(), NASTY, NASTY),)), NASTY, {"a": NASTY})
    picture = ET.fromstring(draw(flow))
    assert {one.tag.removeprefix(SVG) for one in picture.iter()} == {
        "svg", "title", "desc", "style", "defs", "marker", "path", "rect", "g", "text",
    }  # fmt: skip
    assert "<script" not in draw(flow, is_alone=False)


@example("/000000A\u0e5c\u0e5c\u309b")
@given(st.text(max_size=80))
def test_words_fit_their_lines(text: str) -> None:
    lines = break_lines(text, 120, 16, 4)
    assert len(lines) <= 4
    assert all(width_of(line, 16) <= 120 or len(line) <= 2 for line in lines)
    if not any(line.endswith("…") for line in lines):
        assert "".join(lines).replace(" ", "") == "".join(text.split())


@given(st.text())
def test_nothing_in_a_text_means_anything_to_mermaid(text: str) -> None:
    found = re.sub(r"#\d+;", "", escaped(text))
    assert not set(found) & set("\"#;{}[]()<>|&%`\\~^$*@'\n\r")


def test_a_sequence_of_every_kind_as_mermaid() -> None:
    flow = every_kind(people=People(3, {"wait": 12}, {("choose", "yes"): 133, ("choose", "no"): 81}))
    assert to_mermaid(flow) == MERMAID


def test_a_step_that_nobody_reaches_is_drawn_all_the_same() -> None:
    flow = flow_of(sequence_of([program.End("a", "why"), program.Wait("b", "a", days(1))]), "Two", {})
    assert [box.id for box in flow.boxes] == ["a", "b"]
    assert len(boxes_of(ET.fromstring(draw(flow)))) == 2


MERMAID = """\
---
title: "People who ask"
---
flowchart TD
    s0["sends a mail<br>#91;first name#93;, your report<br>report"]
    s1[["asks by mail, offers 3 times to meet<br>Shall we talk?<br>long"]]
    s2(["waits until 2027-03-01 09:00<br>until"])
    s3(["waits until renewal_on - 30 days<br>without that date: goes on<br>mine"])
    s4(["waits 3 days<br>wait<br>12 here now"])
    s5{{"looks whether<br>clicked#40;#34;report#34;#41; and fit #62;= #34;B#34;<br>choose"}}
    s6["tags them<br>reads<br>tag"]
    s7["takes a tag off<br>resting<br>untag"]
    s8["sets<br>plan: gold, seats: 12, is_new: no, until: nothing<br>set"]
    s9["puts them on a list<br>customers<br>join"]
    s10["takes them off a list<br>prospects<br>leave"]
    s11["gives 10 points<br>read closely<br>score"]
    s12{{"goes one of 2 ways by lot<br>until one wins by clicked#40;#34;a#34;#41; within 7 days, 100 people each#59; at most 60 days<br>test"}}
    s13["goes back to report<br>again and again<br>again"]
    s14["goes back to wait<br>at most 2 times<br>once"]
    s15{{"waits up to 5 days for<br>booked#40;#41;<br>seen"}}
    s16["tells their owner<br>A customer begins<br>call"]
    s17["a task for dana#64;acme.example, due in 2 days<br>Call them<br>todo"]
    s18["calls another system<br>https://crm.example/hook?a=1#38;b=2<br>hook"]
    s19["puts them into<br>onboarding<br>other"]
    s20["hands them to a rep<br>hand"]
    s21(("ends here<br>they are in good hands<br>stop"))
    s22(("the end"))
    s0 --> s1
    s1 --> s2
    s2 --> s3
    s3 --> s4
    s4 --> s5
    s5 -->|"yes<br>62 #37; #40;55#8211;68 #37;#41; of 214"| s6
    s5 -->|"no<br>38 #37; #40;32#8211;45 #37;#41; of 214"| s15
    s6 --> s7
    s7 --> s8
    s8 --> s9
    s9 --> s10
    s10 --> s11
    s11 --> s12
    s12 -->|"short, 33.3 #37;"| s13
    s12 -->|"late, 66.7 #37;"| s14
    s13 -->|"again"| s0
    s14 -->|"again"| s4
    s14 -->|"after that"| s22
    s15 -->|"in time"| s16
    s15 -->|"too late"| s12
    s16 --> s17
    s17 --> s18
    s18 --> s19
    s19 --> s20
    s20 --> s21
    exits>"Wherever they are, it ends as soon as this holds<br>replied#40;#41; #8594; replied"]
"""
