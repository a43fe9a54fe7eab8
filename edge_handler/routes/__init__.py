"""From a host to its route: names, the row, the stamp, and the memory that resolves."""
