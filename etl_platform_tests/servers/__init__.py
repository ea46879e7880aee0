"""Real servers that tests start on loopback, each with its own port and folder."""
