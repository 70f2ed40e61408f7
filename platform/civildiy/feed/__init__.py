"""The activity stream: read from Redis, kept up to date by events from Kafka."""
