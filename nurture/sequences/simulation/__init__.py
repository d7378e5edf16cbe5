"""Sequences lived through beforehand: invented or real people, the production engine, a clock that jumps."""
