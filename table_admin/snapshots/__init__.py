"""The snapshot's writer: all routes at one moment, in S3, for every instance of the edge to load."""
