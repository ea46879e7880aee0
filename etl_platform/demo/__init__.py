"""The demonstration: real flights data as a source, loaded by the definitions in ``defs/``."""
