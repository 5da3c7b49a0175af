"""Gathers the counts of all samples into one table: report.py STATS... > TABLE."""

import json
import sys

rows = []
for path in sys.argv[1:]:
    with open(path) as stats:
        rows.append(json.load(stats))
rows.sort(key=lambda row: (row["sample"], row["stage"] != "raw"))
columns = ["sample", "stage", "reads", "bases", "gc", "quality"]
print(*columns, sep="\t")
for row in rows:
    print(*("-" if row[column] is None else row[column] for column in columns), sep="\t")
