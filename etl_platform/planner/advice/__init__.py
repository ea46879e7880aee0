"""What a plan does not say: expected rows per operator, and how tables could be laid out."""
