"""What the programs share below the wire: one MQTT 5 client for agent, controller and command line, and one log.

aiomqtt does the work. Added here, once for all three: acknowledging by hand, reading the reason code of a PUBACK,
addresses with TLS and credentials, and reconnecting with a spread.
"""
