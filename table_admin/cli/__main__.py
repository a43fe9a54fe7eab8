"""`python -m table_admin.cli` is `table-admin`."""

from table_admin.cli import main

main()
