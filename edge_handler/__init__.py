"""The functions CloudFront runs: which origin answers for a host, decided on every request.

Imports nothing but the standard library and cachetools: this code starts cold on a fourteenth of a core.
"""
