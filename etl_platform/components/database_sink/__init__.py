"""Tables of the lake loaded into a database, each an asset."""
