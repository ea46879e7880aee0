"""How the tables stand: what is served, how old it is, and what the last audit said."""
