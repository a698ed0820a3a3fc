"""A scan with Spark: each partition's records go through one maskscope, and the reports are added up.

    spark-submit spark_pipe.py --out report.json --scan "-t org/model --template phi" data/*.jsonl

What `--scan` holds goes to `maskscope scan` as it is; the input is JSON lines, wherever Spark reads text from. Places in the report are those within a partition. MASKSCOPE names the program where it is not on the path of
the workers.
"""

import argparse
import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from pyspark.sql import SparkSession

PROGRAM = os.environ.get("MASKSCOPE", "maskscope")


def run(arguments, text=None):
    done = subprocess.run([PROGRAM, *arguments], input=text, stdout=subprocess.PIPE, check=False)
    # 1 says that samples are lost: that is a result.
    if done.returncode > 1:
        raise RuntimeError(f"maskscope ended with {done.returncode}; its message is on stderr")
    return done.stdout.decode("utf-8")


def scan(options):
    def of_partition(records):
        lines = "".join(record + "\n" for record in records)
        yield run(["scan", *options, "--stdin", "--jsonl", "--format", "jsonl"], lines.encode("utf-8"))

    return of_partition


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True)
    parser.add_argument("--scan", default="")
    parser.add_argument("--partitions", type=int, default=0)
    parser.add_argument("files", nargs="+")
    known = parser.parse_args()
    spark = SparkSession.builder.appName("maskscope scan").getOrCreate()
    records = spark.sparkContext.textFile(",".join(known.files))
    if known.partitions:
        records = records.repartition(known.partitions)
    reports = records.mapPartitions(scan(shlex.split(known.scan))).collect()
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{n}.json" for n in range(len(reports))]
        for path, report in zip(paths, reports):
            path.write_text(report, encoding="utf-8")
        whole = run(["scan", "merge", *map(str, paths), "--format", "json"])
    Path(known.out).write_text(whole, encoding="utf-8")
    spark.stop()


if __name__ == "__main__":
    main()
