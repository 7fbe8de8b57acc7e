"""Formats, languages, regions and releases, four-hour windows."""
