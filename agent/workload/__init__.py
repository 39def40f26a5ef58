"""A command becomes a container, and stays one.

Decisions are pure: `command` admits, `begin` lets a command change the record, `plan` says what to do next, `probe`
judges, `report` tells. `ledger` and `docker` touch the disk and the engine; `lane` goes round: observe, plan, act.
"""
