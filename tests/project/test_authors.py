"""Whoever changes a contact says who did it, so that the history is never without a name."""

import ast

from nurture.contacts import actions
from nurture.contacts.history.rules import UNNAMED
from tests.project.source import every_module

#: Actions that write the history, with how many arguments come before the author.
_WRITING = {
    "change_contact": 4, "set_values": 4, "tag_contact": 4, "untag_contact": 4, "join_list": 4, "leave_list": 4,
    "set_link": 5, "change_address": 5,
}  # fmt: skip


def test_every_change_of_a_contact_in_the_product_has_an_author() -> None:
    bare = [
        f"{module.name}:{call.lineno}"
        for module in every_module()
        if module.name != "contacts/actions.py"
        for call in ast.walk(module.tree)
        if isinstance(call, ast.Call) and len(call.args) <= _WRITING.get(_name_of(call.func), -1)
    ]
    assert not bare, "say who changes the contact: Author(by, how)"


def test_the_list_names_actions_that_there_are() -> None:
    for name in _WRITING:
        assert hasattr(actions, name)
    assert UNNAMED.by == "", "what tests leave unsaid"


def _name_of(function: ast.expr) -> str:
    match function:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""
