"""A directory becomes a site."""
