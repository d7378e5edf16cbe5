"""How Alembic reaches the database: through the connection that `migrating.upgrade` or a test hands over."""

from typing import Any, Literal

import sqlalchemy as sa
from alembic import context as alembic
from alembic.autogenerate.api import AutogenContext


def plain_types(kind: str, item: Any, context: AutogenContext) -> str | Literal[False]:
    """Migrations name plain types: they must still run when our own classes have changed."""
    if kind != "type":
        return False
    if isinstance(item, sa.types.TypeDecorator) and isinstance(item.impl_instance, sa.DateTime):
        return "sa.DateTime(timezone=True)"
    if isinstance(item, sa.types.TypeDecorator) and isinstance(item.impl_instance, sa.String):
        length = getattr(item, "length", None) or item.impl_instance.length
        return f"sa.String(length={length})" if length else "sa.String()"
    if isinstance(item, sa.JSON):
        context.imports.add("from sqlalchemy.dialects import postgresql")
        return "sa.JSON().with_variant(postgresql.JSONB(), 'postgresql')"
    return False


config = alembic.config
alembic.configure(
    connection=config.attributes["connection"],
    target_metadata=config.attributes.get("metadata"),
    render_as_batch=True,
    compare_type=True,
    render_item=plain_types,
)
alembic.run_migrations()
