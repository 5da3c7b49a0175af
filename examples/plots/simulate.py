"""A population that grows and is hunted: simulate.py RATE HARVEST YEARS SEED > TABLE."""

import random
import sys

rate, harvest = float(sys.argv[1]), float(sys.argv[2])
years, chance = int(sys.argv[3]), random.Random(sys.argv[4])
size = 0.5
print("year", "size", sep="\t")
for year in range(years + 1):
    print(year, f"{size:.5f}", sep="\t")
    weather = chance.gauss(1, 0.05)
    size = max(0.0, size + weather * rate * size * (1 - size) - harvest * size)
