"""The edge's handlers between viewers and a network that fails: `make faults`.

Real handlers ask real tables (moto's over HTTP, dynalite's over TLS) through servers that answer wrongly, late or not
at all: `catalogue` says how, `matrix` which combinations, `cell` what a viewer gets of each, `report` writes it down.
`following` does the same with an instance that follows the feed from a snapshot: those of `stack`, changed meanwhile.
"""
