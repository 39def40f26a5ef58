"""A configuration and its surroundings, looked at before an agent has to live there.

    Config ─► probes (broker, plcs, engine, machine: touch the world, one at a time in each)  ┐
           └► readiness (pure)                                                                ├─► Verdicts ─► report
                                                                                              ┘
Nothing that is looked at is changed, and a running agent is not disturbed: the broker is asked under another client
id, by a message that is not retained, and the PLC by a session of its own.
"""
