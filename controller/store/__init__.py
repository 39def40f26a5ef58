"""What the centre remembers over a restart: one SQLite file by default, through SQLAlchemy Core."""
