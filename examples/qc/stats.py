"""Counts what a file of reads holds, as JSON: stats.py READS SAMPLE STAGE > STATS."""

import json
import sys

path, sample, stage = sys.argv[1:4]
with open(path) as reads:
    lines = reads.read().splitlines()
bases = "".join(lines[1::4])
marks = "".join(lines[3::4])
n = len(bases)
print(json.dumps({
    "sample": sample,
    "stage": stage,
    "reads": len(lines) // 4,
    "bases": n,
    "gc": round(sum(base in "GC" for base in bases) / n, 4) if n else None,
    "quality": round(sum(ord(mark) - 33 for mark in marks) / n, 2) if n else None,
}))
