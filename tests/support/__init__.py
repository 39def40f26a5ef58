"""The real things that tests stand on: broker, container engine, registry, each started and ended by a fixture."""
