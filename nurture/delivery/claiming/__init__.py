"""Taking rows of the outbox into a worker's hands, with what is needed to write their mails."""
