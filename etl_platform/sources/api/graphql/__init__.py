"""APIs that answer queries of GraphQL: what is asked for says where the records are."""
