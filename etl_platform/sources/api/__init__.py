"""APIs over HTTP: REST, GraphQL and SOAP as streams of Arrow batches."""
