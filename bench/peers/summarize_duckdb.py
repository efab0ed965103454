"""DuckDB's SUMMARIZE: extremes, approximate distinct counts, mean, deviation, quartiles, nulls."""

import sys

import duckdb

print(len(duckdb.sql(f"summarize select * from '{sys.argv[1]}'").fetchall()))
