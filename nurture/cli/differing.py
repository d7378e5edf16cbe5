"""What an import would change, as a diff: `contacts import --dry-run`."""

from typing import TYPE_CHECKING, Any

from nurture.cli.output import say, shown, table

if TYPE_CHECKING:
    from nurture.consent.summaries import Told

_NEW_SHOWN, _CHANGED_SHOWN = 10, 25


class Difference:
    """Hears about every contact of a rehearsal. `keeps` all of it, for JSON; else what a person looks at."""

    def __init__(self, *, keeps: bool) -> None:
        self._keeps = keeps
        self.new: list[Told] = []
        self.changed: list[Told] = []
        self.new_count = self.changed_count = self.left_alone = self.ended = 0

    def hear(self, told: "Told") -> None:
        """One contact."""
        match told.outcome, told.is_opted_out:
            case "unchanged", True:
                self.left_alone += 1
            case "unchanged", False:
                pass
            case "created", False:
                self.new_count += 1
                if self._keeps or len(self.new) < _NEW_SHOWN:
                    self.new.append(told)
            case _:
                self.ended += told.is_opted_out
                self.changed_count += 1
                if self._keeps or len(self.changed) < _CHANGED_SHOWN:
                    self.changed.append(told)

    def as_document(self) -> dict[str, Any]:
        """All of it."""
        return {
            "new": [{"line": one.line, "email": one.email} for one in sorted(self.new, key=_by_line)],
            "changed": [
                {
                    "line": one.line,
                    "email": one.email,
                    "opted_out": one.is_opted_out,
                    "changes": [{"field": it.field, "before": it.before, "after": it.after} for it in one.changes],
                }
                for one in sorted(self.changed, key=_by_line)
            ],
            "would_change_nothing": self.left_alone,
        }

    def report(self) -> None:
        """As a table, limited to what somebody reads."""
        rows = [(one.line, "+", one.email, "", "") for one in sorted(self.new, key=_by_line)]
        for one in sorted(self.changed, key=_by_line):
            rows += [
                (one.line, "~", one.email, it.field, f"{shown(it.before)} → {shown(it.after)}") for it in one.changes
            ]
            if one.is_opted_out:
                rows.append((one.line, "~", one.email, "suppressed", "no → yes"))
            elif not one.changes:
                rows.append((one.line, "~", one.email, "", "what is known of their past, or a tag or list"))
        if rows:
            say("\nWhat would change (+ new, ~ changed):")
            table(("line", "", "contact", "field", "before → after"), rows, empty="")
        new, changed = self.new_count - len(self.new), self.changed_count - len(self.changed)
        if new or changed:
            say(f"  and {new:,} more new, {changed:,} more changed; --json has them all")
        if self.left_alone:
            what = "row would change" if self.left_alone == 1 else "rows would change"
            say(f"{self.left_alone:,} {what} nothing: opted out")


def _by_line(told: "Told") -> int:
    return told.line
