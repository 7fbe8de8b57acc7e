"""What thumbnails look like, four-hour windows."""
