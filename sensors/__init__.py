"""Sensors: read state, ask a pure function, return requests."""
