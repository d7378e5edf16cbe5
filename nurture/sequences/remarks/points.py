"""Scores nobody can have: thresholds that all the points on offer do not add up to."""

from nurture.campaigns.reading import Problems, Workspace, open_yaml
from nurture.conditions import Compare, walk
from nurture.scoring.definition import FILE
from nurture.scoring.rules import Model
from nurture.sequences.remarks.judged import Judged, most_points, reachable_points
from nurture.sequences.remarks.possible import Possible


def unreachable_scores(judged: Judged) -> None:
    """A condition on the score that even somebody who did everything would not meet."""
    if judged.model is None or not judged.model.activities:
        return
    most = most_points(judged, recorded=True)
    people = Possible(judged.workspace.words.fields, most={"score": most})
    for one in [*judged.exits, *judged.questions]:
        asked = [part for part in walk(one.when) if isinstance(part, Compare) and part.field == "score"]
        if asked and judged.possible.can_hold(one.when) and not people.can_hold(one.when):
            message = f"the points on offer end at {most:g}, so no score gets there"
            hint = "Lower the line, or offer more in campaigns/scoring.yaml; points given by hand are not counted."
            judged.remark("NS330", one.place, f"{message}.", hint)


def unreachable_threshold(workspace: Workspace, model: Model, given: float, problems: Problems) -> None:
    """The line of scoring.yaml itself, against its rules and what all sequences give."""
    if not model.activities:
        return
    most = given + reachable_points(model, Possible(workspace.words.fields))
    if most < model.threshold_score:
        file = open_yaml(workspace, workspace.campaigns / FILE, Problems())
        assert file is not None
        file.problems = problems
        message = (
            f"the points on offer, those of sequences included, end at {most:g}: nobody gets there by what they do."
        )
        file.complain("NS331", ("threshold", "score"), message, "Lower it, or offer more.", severity="warning")
