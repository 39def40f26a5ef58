"""One edge node: commands in, containers, tags and health out."""
