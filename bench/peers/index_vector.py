"""The HNSW index on the table `passages` in whole precision, with as much memory."""

import os

import psycopg

with psycopg.connect(
    host=os.environ["PGVECTOR_HOST"],
    user=os.environ["PGVECTOR_USER"],
    dbname=os.environ["PGVECTOR_DATABASE"],
    autocommit=True,
) as connection:
    connection.execute("set maintenance_work_mem = '64MB'")
    connection.execute("create index on passages using hnsw (vector vector_cosine_ops)")
