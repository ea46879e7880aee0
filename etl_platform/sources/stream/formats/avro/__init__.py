"""Avro: plain, or in Confluent's wire format with a schema registry."""
