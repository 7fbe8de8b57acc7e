"""Video ideas and how hard each game is to enter, four-hour windows."""
