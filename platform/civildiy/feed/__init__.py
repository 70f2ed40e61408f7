"""The activity stream, read from Redis and kept current from Kafka."""
