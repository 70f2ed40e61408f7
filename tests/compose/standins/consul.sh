#!/bin/sh
chown consul:consul /consul/data
[ "$1" = agent ] && shift && set -- consul agent -data-dir=/consul/data "$@"
exec setpriv --reuid consul --regid consul --clear-groups "$@"
