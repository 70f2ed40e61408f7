#!/bin/sh
# server.properties from the KAFKA_* variables, as the official image does it.
set -e
properties=/tmp/server.properties
env | sed -n 's/^KAFKA_//p' | grep -v -E '^(HEAP_OPTS|JVM_PERFORMANCE_OPTS|OPTS)=' | while IFS='=' read -r name value; do
    key=$(printf %s "$name" | tr 'A-Z' 'a-z' | sed 's/___/-/g; s/__/\n/g; s/_/./g; s/\n/_/g')
    printf '%s=%s\n' "$key" "$value"
done > "$properties"
java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp '/opt/kafka/libs/*' kafka.tools.StorageTool format \
    --ignore-formatted -t "$CLUSTER_ID" -c "$properties"
exec java $KAFKA_HEAP_OPTS $KAFKA_JVM_PERFORMANCE_OPTS -Dkafka.logs.dir=/tmp -cp '/opt/kafka/libs/*' kafka.Kafka "$properties"
