"""Clips, and the rhythm of the week on Twitch."""
