"""A directory becomes a site: what is in it, how it is sent, how long it is kept."""
