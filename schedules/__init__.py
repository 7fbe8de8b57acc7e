"""Schedules, each declaring the environments in which it exists."""
