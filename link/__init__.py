"""What carries the wire: one MQTT 5 client for the agent, the controller and the command line.

aiomqtt does the work. Added here, once for all three: acknowledging by hand, reading the reason code of a PUBACK,
addresses with TLS and credentials, and reconnecting with a spread.
"""
