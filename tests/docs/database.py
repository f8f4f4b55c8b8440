"""Compares the database of a run with docs/database.md, and runs the examples of that page.

    python3 database.py docs/database.md RUN_DIR

Prints as JSON the columns of each view and table of the page as the database has them, with the types of
their values, and the rows that each example in SQL returns.
"""
import json
import re
import sqlite3
import sys

page, run_dir = sys.argv[1:]
database = sqlite3.connect(f"file:{run_dir}/moldflow.db?mode=ro", uri=True)
text = open(page).read()
found = {"kinds": {}, "columns": {}, "examples": []}
for name in re.findall(r"^## `(\w+)`$", text, re.MULTILINE):
    (kind,) = database.execute("select type from sqlite_master where name = ?", [name]).fetchone()
    found["kinds"][name] = kind
    columns = [row[1] for row in database.execute(f"pragma table_info({name})")]
    found["columns"][name] = [
        [column, [row[0] for row in database.execute(
            f'select distinct typeof("{column}") from {name} where "{column}" is not null')]]
        for column in columns]
for example in re.findall(r"```sql\n(.*?)```", text, re.DOTALL):
    found["examples"].append(database.execute(example.strip().rstrip(";")).fetchall())
print(json.dumps(found))
