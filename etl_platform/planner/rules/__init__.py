"""The planner's rules, one module each; ``planning.RULES`` is their order."""
