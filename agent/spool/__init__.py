"""Nothing is lost while the broker is away.

Values go into one log in the node's store; every uplink publishes from it behind a cursor of its own.

    record.py     what stands in the log
    retention.py  what gives way when the log is full, and the gap that says so   (pure)
    window.py     up to where an uplink's records are acknowledged                (pure)
    tables.py     the log in SQLite
    log.py        append, read, advance
    uplink.py     publish what the log holds, for ever
"""
