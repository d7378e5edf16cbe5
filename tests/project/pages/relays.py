"""What docs/relays.md says of each relay, from its data file."""

from nurture.relays.profiles import Profile, list_profiles
from tests.project.pages.markdown import table


def overview() -> str:
    """All relays side by side."""
    return table(
        ("relay", "sign in", "limits we begin with", "Message-ID", "wants an opt-in"),
        [
            (
                f"[{one.title}](#{_anchor(one.title)})",
                ", ".join(one.sign_in.kinds),
                one.told_limits,
                one.changes.message_id,
                "yes" if one.terms.demand_opt_in else "no",
            )
            for one in list_profiles()
        ],
    )


def sections() -> str:
    """One section for each."""
    return "\n\n".join(_section(one) for one in list_profiles())


def _section(one: Profile) -> str:
    parts = [f"## {one.title}", one.about, "\n".join(f"{number}. {step}" for number, step in enumerate(one.steps, 1))]
    parts.append(f"```sh\nnurture connect {one.name}\n```")
    told = [(what, text) for what, text in one.told() if what != "Regions"]
    parts.append(table(("", "what is known"), told))
    if one.unverified:
        parts.append("Not verified: " + " ".join(one.unverified))
    if one.sources:
        parts.append(
            "Sources: " + ", ".join(f"[{each.what}]({each.url}) ({each.checked_on})" for each in one.sources) + "."
        )
    return "\n\n".join(parts)


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")
