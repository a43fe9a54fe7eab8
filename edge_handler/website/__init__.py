"""What makes a bucket answer like a web server."""
