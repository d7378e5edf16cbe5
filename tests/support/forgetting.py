"""A database that forgets the intent to send when its worker dies: what the promise of not mailing twice rests on.

As if the move to `sending` had not been committed before the body was written. Stories about kills run against it to show
that they can fail.
"""

import sqlalchemy as sa

_ON_SQLITE = (
    """
CREATE TRIGGER forget AFTER UPDATE OF status ON delivery
WHEN OLD.status = 'sending' AND instr(NEW.because, 'worker died')
BEGIN UPDATE delivery SET status = 'queued', because = '', settled_at = NULL WHERE id = NEW.id; END
""",
)
_ON_POSTGRES = (
    """
CREATE FUNCTION forget() RETURNS trigger AS $$
BEGIN NEW.status := 'queued'; NEW.because := ''; NEW.settled_at := NULL; RETURN NEW; END $$ LANGUAGE plpgsql
""",
    """
CREATE TRIGGER forget BEFORE UPDATE ON delivery FOR EACH ROW
WHEN (OLD.status = 'sending' AND position('worker died' IN NEW.because) > 0) EXECUTE FUNCTION forget()
""",
)


def forget_intents(engine: sa.Engine) -> None:
    """From now on a row that a dead worker was sending goes back into the queue."""
    with engine.begin() as connection:
        for statement in _ON_SQLITE if connection.dialect.name == "sqlite" else _ON_POSTGRES:
            connection.exec_driver_sql(statement)
