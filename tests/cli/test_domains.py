"""`nurture domains`: which look mistyped, and who says which was meant."""

from tests.support.terminals import Terminal


def test_a_mistyped_domain_is_held_until_somebody_says_that_it_is_right(house: Terminal) -> None:
    house.type("contacts", "add", "eve@gmial.com", "--country", "US", "--consent", "opt-in")
    known = house.json("contacts", "show", "eve@gmial.com")
    assert (known["mailable"], known["refused_because"][0]["reason"]) == (False, "misspelt")
    assert "looks like gmail.com mistyped" in known["refused_because"][0]["because"]
    [held] = [one for one in house.json("domains") if one["mail"] == "held"]
    assert (held["domain"], held["meant"], held["people"]) == ("gmial.com", "gmail.com", 1)
    assert "nurture domains correct gmial.com gmail.com" in house.type("domains")[0].replace("\n", " ")
    assert house.json("domains", "accept", "gmial.com") == {"domain": "gmial.com", "people": 1}
    assert house.json("contacts", "show", "eve@gmial.com")["mailable"]
    assert "is not held for its spelling" in house.refused("domains", "accept", "gmial.com")
    assert "Did you mean" in house.refused("domains", "accept", "gmial.co")


def test_correcting_a_domain_moves_its_people_and_makes_one_of_who_is_known_there(house: Terminal) -> None:
    house.type("contacts", "add", "eve@gmial.com", "--country", "US", "--consent", "opt-in")
    house.type("contacts", "add", "dan@gmial.com", "--country", "US", "--consent", "opt-in")
    house.type("contacts", "add", "dan@gmail.com", "--country", "US", "--consent", "opt-in")
    house.type("opt-out", "dan@gmial.com")
    done = house.json("domains", "correct", "gmial.com", "gmail.com")
    assert (done["moved"], done["merged"], done["left"]) == (["eve@gmail.com"], ["dan@gmail.com"], [])
    assert house.json("contacts", "show", "eve@gmail.com")["mailable"]
    # Who left at the mistyped address has left.
    assert house.json("contacts", "show", "dan@gmail.com")["refused_because"][0]["reason"] == "opt_out"
    assert house.json("domains", "correct", "gmial.com", "gmail.com")["moved"] == []
    assert house.refused("domains", "correct", "gmial.com", "g mail").startswith('"g mail" is no domain')


def test_whoever_has_no_address_at_the_right_domain_keeps_nobody_else_from_it(house: Terminal) -> None:
    long = f"{'a' * 64}@gmial.com"
    for email in (long, "eve@gmial.com"):
        house.type("contacts", "add", email, "--country", "US", "--consent", "opt-in")
    right = f"{'.'.join(['b' * 60] * 3)}.example"
    done = house.json("domains", "correct", "gmial.com", right)
    assert done["moved"] == [f"eve@{right}"]
    assert [one.partition(":")[0] for one in done["left"]] == [long]
