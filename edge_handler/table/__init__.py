"""The routing table as the edge reads it."""
