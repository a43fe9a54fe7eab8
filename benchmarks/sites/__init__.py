"""What a directory that becomes a site costs: to deploy, to serve, to look its files up."""
