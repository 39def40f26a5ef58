"""Everything that a plant's Mosquitto is told: configuration, access rules, users, certificates.

`mosquitto.conf` and `acl` are the templates, with the reasons beside each number. `files` writes a directory that a
broker can be started with, and is what the demo and the tests use; `credentials` makes what is secret in it.
`python -m mosquitto --help` does the same for a real plant. Written for Mosquitto 2.0; 2.1 replaces `acl_file` and
`password_file` by plugins, which is why nothing outside this folder knows of them.
"""
