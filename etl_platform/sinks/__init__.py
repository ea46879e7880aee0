"""From the lake to the outside world."""
