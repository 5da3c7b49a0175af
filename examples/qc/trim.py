"""Cuts bad ends off reads and drops what gets too short: trim.py READS QUALITY LENGTH > TRIMMED."""

import sys

path, quality, shortest = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with open(path) as reads:
    lines = reads.read().splitlines()
for name, bases, plus, marks in zip(*[iter(lines)] * 4):
    end = len(bases)
    while end > 0 and ord(marks[end - 1]) - 33 < quality:
        end -= 1
    if end >= shortest:
        print(name, bases[:end], plus, marks[:end], sep="\n")
