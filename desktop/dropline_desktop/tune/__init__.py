"""What the line would do with other numbers of workers, which to choose, and who chooses."""
