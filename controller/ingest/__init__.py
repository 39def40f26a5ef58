"""From the broker into the picture: read, fold, store, show, and only then acknowledge."""
