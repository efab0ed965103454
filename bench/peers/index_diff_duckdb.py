"""The same by DuckDB: a full join on split and key."""

import sys

import duckdb

added, removed, changed = duckdb.sql(
    f"""
    select count(*) filter (where old.key is null),
           count(*) filter (where new.key is null),
           count(*) filter (where old.hash <> new.hash)
    from '{sys.argv[1]}' old full join '{sys.argv[2]}' new
      on old.split = new.split and old.key = new.key
    """
).fetchall()[0]
print(f"{added:,} added, {removed:,} removed, {changed:,} changed")
