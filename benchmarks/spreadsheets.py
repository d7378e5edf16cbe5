"""What the reading half of an import makes of other people's files, as a table of verdicts.

`python -m benchmarks.spreadsheets FOLDER…` reads every CSV, TSV and XLSX file below the folders and says how each was
read: encoding, delimiter, system, people, refused rows. It holds them against what is known beside them, if anything is:

- `expected.json` in the same folder: for each file any of `encoding`, `delimiter`, `rows`, `emails`, `opted_out`,
  `status`, `consent_time`, `consent_ip`, `tags`, `rejected_rows_min`;
- `NAME.json`, in the same folder or in a folder `json` beside it: the rows as a list of objects.

Every `*.jsonl` file below them is taken for test vectors of addresses, one object a line with `address` and a verdict
(`valid`, `rfc5321_ok`, or a `status` that holds ERR), and counted by agreement. Whatever we take and they refuse is named. Exits 1 if a file is read
otherwise than expected.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from nurture.consent.statements import Statement, read_statement
from nurture.consent.suppressions.rules import SuppressionReason
from nurture.contacts.addresses import read_address
from nurture.contacts.cells import guard, unguard
from nurture.contacts.imports import ImportRow, RefusedRow, Survey, read_rows, survey
from nurture.contacts.sheets import open_sheet
from nurture.errors import BadInput

ENDINGS = {".csv", ".tsv", ".xlsx"}
TODAY = date(2026, 3, 10)


def main() -> None:
    """Look through the folders that were named."""
    folders = [Path(name) for name in sys.argv[1:]]
    if not folders:
        print("usage: python -m benchmarks.spreadsheets FOLDER…")
        raise SystemExit(2)
    wrong = 0
    files = sorted(path for folder in folders for path in folder.rglob("*") if path.suffix.lower() in ENDINGS)
    if files:
        print(f"{'file':44} {'read as':28} {'rows':>5} {'people':>6} {'refused':>7}  verdict")
    for path in files:
        complaints = list(_judge(path))
        wrong += bool(complaints)
    for path in sorted(path for folder in folders for path in folder.rglob("*.jsonl")):
        _judge_addresses(path)
    print(f"\n{len(files):,} files; {wrong:,} differ from what was expected")
    raise SystemExit(1 if wrong else 0)


def _judge(path: Path) -> Iterator[str]:
    """Print one line about a file, and yield what is not as expected."""
    twin = next((one for one in _twins(path) if one.is_file()), None)
    try:
        if twin is not None:
            complaints = list(_compare_cells(path, twin))
            _print(path, "cells only", "", "", "", complaints, twin.name)
        else:
            found = survey(path, {})
            rows = list(read_rows(found, {}))
            complaints = list(_compare_people(found, rows))
            people = sum(isinstance(row, ImportRow) for row in rows)
            has_expectations = _expected(path) is not None
            _print(path, _read_as(found), found.rows, people, sum(isinstance(row, RefusedRow) for row in rows),
                   complaints, "expected.json" if has_expectations else "")  # fmt: skip
            for row in rows:
                if isinstance(row, RefusedRow):
                    print(f"{'':8}line {row.line}: {row.reason}")
            for column, first in found.columns.doubled:
                print(f'{"":8}left out: "{column}" means the same as "{first}"')
    except BadInput as problem:
        complaints = [] if _expected(path) is None else [str(problem)]
        _print(path, "refused", "", "", "", [str(problem)], "")
    yield from complaints


def _print(
    path: Path, read_as: str, rows: object, people: object, refused: object, complaints: list[str], by: str
) -> None:
    verdict = "; ".join(complaints) or (f"as {by} says" if by else "nothing to compare with")
    print(f"{path.parent.name + '/' + path.name:44} {read_as:28} {rows:>5} {people:>6} {refused:>7}  {verdict}")


def _read_as(found: Survey) -> str:
    export = f", {found.columns.export.provider}" if found.columns.export else ""
    return f"{found.sheet.encoding} {json.dumps(found.sheet.delimiter)}{export}"


def _twins(path: Path) -> list[Path]:
    return [path.with_suffix(".json"), path.parent.parent / "json" / f"{path.stem}.json"]


def _expected(path: Path) -> dict[str, Any] | None:
    beside = path.parent / "expected.json"
    known: dict[str, Any] = json.loads(beside.read_text(encoding="utf-8")) if beside.is_file() else {}
    return known.get(path.name)


def _compare_cells(path: Path, twin: Path) -> Iterator[str]:
    """The rows as they stand in the file, before anything is made of them."""
    sheet = open_sheet(path, len)
    rows = [dict(zip(sheet.headers, cells, strict=False)) for _, cells in sheet.rows()]
    expected = json.loads(twin.read_text(encoding="utf-8"))
    # JSON has one kind of line break, and numbers that a cell has not.
    spelled = [{name: str(value).replace("\r\n", "\n") for name, value in row.items()} for row in rows]
    if spelled != [{name: str(value).replace("\r\n", "\n") for name, value in row.items()} for row in expected]:
        yield f"read {spelled}"
    for cells in rows:
        for cell in cells.values():
            if unguard(guard(cell)) != cell:
                yield f"an export would not come back: {cell!r}"


def _compare_people(found: Survey, rows: list[ImportRow | RefusedRow]) -> Iterator[str]:
    expected = _expected(found.sheet.path)
    if expected is None:
        return
    people = {row.address.email: row for row in rows if isinstance(row, ImportRow)}
    said = {email: read_statement(row, TODAY) for email, row in people.items()}
    refused = sum(isinstance(row, RefusedRow) for row in rows)
    checks: dict[str, tuple[object, object]] = {
        "encoding": (expected.get("encoding"), found.sheet.encoding),
        "delimiter": (expected.get("delimiter"), found.sheet.delimiter),
        "rows": (expected.get("rows"), found.rows),
        "opted_out": (expected.get("opted_out"), [e for e, one in said.items() if _is_out(one)]),
        "tags": (expected.get("tags"), {e: list(one.tags) for e, one in people.items() if one.tags}),
        "consent_ip": (
            expected.get("consent_ip"), {e: said[e].ip for e in expected.get("consent_ip", ()) if e in said},
        ),
        "consent_time": (
            {e: day[:10] for e, day in expected.get("consent_time", {}).items()} or None,
            {e: str(said[e].given_on) for e in expected.get("consent_time", ()) if e in said},
        ),
        "status": (
            expected.get("status"),
            "subscribed" if all(one.bases for one in said.values()) else "something else",
        ),
    }  # fmt: skip
    for name, (wanted, got) in checks.items():
        if wanted is not None and wanted != got:
            yield f"{name}: expected {wanted}, read {got}"
    missing = [email for email in expected.get("emails", ()) if email not in people]
    if missing:
        yield f"emails: {', '.join(missing)} missing"
    if refused < expected.get("rejected_rows_min", 0):
        yield f"refused: {refused} rows"
    accounted = sum(1 + len(row.further_lines) for row in people.values()) + refused
    if accounted != found.rows:
        yield f"{found.rows - accounted} rows are lost"


def _is_out(one: Statement) -> bool:
    return SuppressionReason.OPT_OUT in one.suppressions


def _judge_addresses(path: Path) -> None:
    """Print how far we agree with test vectors."""
    vectors = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    counts: Counter[tuple[bool, bool]] = Counter()
    refused_by_us: Counter[str] = Counter()
    taken: list[str] = []
    for vector in vectors:
        theirs = _verdict(vector)
        if theirs is None:
            continue
        try:
            read_address(vector["address"])
            ours = True
        except BadInput as problem:
            ours = False
            if theirs:
                refused_by_us[_shape(vector["address"], str(problem))] += 1
        counts[theirs, ours] += 1
        if ours and not theirs:
            taken.append(
                f"{vector['address']!r} ({vector.get('note') or vector.get('diagnosis') or vector.get('error')})"
            )
    print(f"\n{path.name}: {counts.total():,} addresses with a verdict of {len(vectors):,}")
    print(f"    both take {counts[True, True]:,}, both refuse {counts[False, False]:,}")
    print(f"    we refuse and they take {counts[True, False]:,}:")
    for shape, count in refused_by_us.most_common():
        print(f"        {count:4,}  {shape}")
    print(f"    we take and they refuse {counts[False, True]:,}:")
    for one in taken:
        print(f"              {one}")


def _verdict(vector: dict[str, Any]) -> bool | None:
    """Whether the vector is an address; None if it says nothing."""
    for name in ("valid", "rfc5321_ok"):
        if isinstance(vector.get(name), bool):
            return bool(vector[name])
    return "ERR" not in vector["status"] if isinstance(vector.get("status"), str) else None


def _shape(address: str, reason: str) -> str:
    """Which kind of address we refuse on purpose."""
    if '"' in address:
        return "a quoted local part"
    if "[" in address:
        return "an address literal"
    if "(" in address:
        return "a comment"
    return reason


if __name__ == "__main__":
    main()
