"""What a person at the centre uses: the `millwright` command and the async client that it stands on.

    from ops.client import OpsClient

Sending a command, following a tag stream and reading the fleet need nothing but a broker.
"""
