"""Prints the rows of a Parquet file as JSON: as pyarrow reads them, and as DuckDB does."""
import json
import sys

import duckdb
import pyarrow.parquet as parquet

path = sys.argv[1]
rows = parquet.read_table(path).to_pylist()
relation = duckdb.sql(f"SELECT * FROM read_parquet('{path}')")
others = [dict(zip(relation.columns, row)) for row in relation.fetchall()]
json.dump({"pyarrow": rows, "duckdb": others}, sys.stdout)
