"""One module per revision, in order; a released revision is never edited."""
