"""Who gets an answer of a domain that does not answer everybody. Imported at the first request of such a one."""
