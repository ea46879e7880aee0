"""From the address of a source to what may be declared about it."""
