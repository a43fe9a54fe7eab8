"""What is written, as it is announced: followed between requests, so that no viewer waits for the table."""
