"""Pure algorithms and value types: no I/O, no clock, no environment, no framework."""
