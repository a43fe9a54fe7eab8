"""Asking AWS's services: connections, and the signatures on what is asked."""
