"""Makes tests/parquet/: the same rows as Parquet (snappy, zstd) and as JSON lines.

    python3 tests/scripts/parquet_fixtures.py tests/parquet      # needs pyarrow

The JSON lines are the rows without the keys that Parquet fills in with null.
"""

import json
import sys
from pathlib import Path

import pyarrow
import pyarrow.parquet

TURN = pyarrow.struct([("from", pyarrow.string()), ("value", pyarrow.string()), ("weight", pyarrow.float64())])
SCHEMA = pyarrow.schema(
    [
        ("id", pyarrow.string()),
        ("image", pyarrow.string()),
        ("conversations", pyarrow.list_(TURN)),
        ("source", pyarrow.string()),
        ("score", pyarrow.float64()),
        ("count", pyarrow.int64()),
        ("blob", pyarrow.binary()),
    ]
)


def row(n):
    answer = "" if n % 5 == 4 else f"It is number {n}.\nΔ & <b> 漢字"
    turns = [{"from": "human", "value": f"What is {n}?"}, {"from": "gpt", "value": answer}]
    record = {"id": f"row-{n}", "conversations": turns, "source": "abc"[n % 3], "count": n}
    if n % 4 == 1:
        record["image"] = f"{n}.jpg"
        turns[0]["value"] = "<image>\n" + turns[0]["value"]
    if n % 6 == 2:
        turns[1]["weight"] = 0.5
    if n == 7:
        del record["conversations"]
    if n == 8:
        record["score"] = 1.25
    return record


def main(folder):
    rows = [row(n) for n in range(24)]
    folder.mkdir(parents=True, exist_ok=True)
    table = pyarrow.Table.from_pylist(rows, schema=SCHEMA)
    for codec in ("snappy", "zstd"):
        pyarrow.parquet.write_table(table, folder / f"rows.{codec}.parquet", compression=codec, row_group_size=10)
    # All of these are samples: for commands that stop at the first record that is none.
    pyarrow.parquet.write_table(table.slice(0, 6), folder / "first.parquet", compression="snappy")
    lines = [json.dumps(r, ensure_ascii=False) + "\n" for r in rows]
    (folder / "rows.jsonl").write_text("".join(lines), encoding="utf-8")


main(Path(sys.argv[1]))
