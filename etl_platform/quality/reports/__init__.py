"""Pictures and pages made of profiles."""
