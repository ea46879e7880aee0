"""The outside world as streams of Arrow record batches."""
