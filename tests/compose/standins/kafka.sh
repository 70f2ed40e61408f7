#!/bin/bash
# As the official `run` and `launch`: the image's own program makes server.properties and log4j2.yaml from the
# KAFKA_* variables and the mounted folder, and formats the storage. Then follow the defaults of
# kafka-server-start.sh and kafka-run-class.sh, the files of the garbage collector's log included.
set -euo pipefail
home=/opt/kafka
jmx="-Dcom.sun.management.jmxremote=true -Dcom.sun.management.jmxremote.authenticate=false"
jmx+=" -Dcom.sun.management.jmxremote.ssl=false"
said=$(java ${KAFKA_HEAP_OPTS:--Xmx256M} ${KAFKA_JVM_PERFORMANCE_OPTS-} -cp "$home/libs/*" \
    kafka.docker.KafkaDockerWrapper setup --default-configs-dir /etc/kafka/docker \
    --mounted-configs-dir /mnt/shared/config --final-configs-dir $home/config 2>&1) ||
    grep -qi "already formatted" <<< "$said" || { echo "$said"; exit 1; }
mkdir -p $home/logs
collector=
[[ ${EXTRA_ARGS--name kafkaServer -loggc} == *-loggc* ]] &&
    collector="-Xlog:gc*:file=$home/logs/kafkaServer-gc.log:time,tags:filecount=10,filesize=100M"
exec java ${KAFKA_HEAP_OPTS:--Xmx1G -Xms1G} ${KAFKA_JVM_PERFORMANCE_OPTS--XX:+UseG1GC} $collector $jmx \
    -Dkafka.logs.dir=$home/logs "${KAFKA_LOG4J_OPTS:--Dlog4j2.configurationFile=$home/config/log4j2.yaml}" \
    -cp "$home/libs/*" ${KAFKA_OPTS-} kafka.Kafka $home/config/server.properties
