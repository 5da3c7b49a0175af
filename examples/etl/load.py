"""Loads orders into a database and sums them up: load.py DATABASE ORDERS... > SUMMARY."""

import csv
import sqlite3
import sys

database = sqlite3.connect(sys.argv[1])
database.execute("CREATE TABLE orders (number INTEGER PRIMARY KEY, day TEXT, good TEXT, pieces INTEGER, price REAL)")
for path in sys.argv[2:]:
    with open(path) as orders:
        rows = [tuple(row.values()) for row in csv.DictReader(orders)]
    database.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?)", rows)
database.commit()
print("good", "pieces", "euros", sep="\t")
query = "SELECT good, sum(pieces), sum(pieces * price) FROM orders GROUP BY good ORDER BY good"
for good, pieces, euros in database.execute(query):
    print(good, pieces, f"{euros:.2f}", sep="\t")
