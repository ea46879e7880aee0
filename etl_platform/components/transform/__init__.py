"""Tables computed by steps that are declared in YAML."""
