"""What the centre shows: an HTTP API to ask, a stream of changes, and the page that lives on both."""
