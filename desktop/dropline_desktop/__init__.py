"""The Dropline window: drop files in, watch the line, tune it."""
