"""The same rows by one INSERT each, in one transaction: what a loop over the rows comes to."""

import os
import sys
import time

import numpy as np
import psycopg
import pyarrow.parquet as pq
from pgvector.psycopg import register_vector

start = time.perf_counter()
table = pq.read_table(sys.argv[1])
columns = [column.to_pylist() for column in table.drop_columns("vector").columns]
flat = table["vector"].combine_chunks().flatten().to_numpy()
columns.append(list(flat.reshape(table.num_rows, -1).astype(np.float32)))
names = [name for name in table.column_names if name != "vector"] + ["vector"]
statement = f"insert into passages ({', '.join(names)}) values ({', '.join(['%b'] * len(names))})"
with psycopg.connect(
    host=os.environ["PGVECTOR_HOST"],
    user=os.environ["PGVECTOR_USER"],
    dbname=os.environ["PGVECTOR_DATABASE"],
) as connection:
    register_vector(connection)
    for row in zip(*columns, strict=True):
        connection.execute(statement, row)
print("seconds", time.perf_counter() - start)
